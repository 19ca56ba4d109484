"""How often random directions and sparse latents get a label; how taggers agree."""
