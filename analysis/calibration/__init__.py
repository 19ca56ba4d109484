"""How often random directions and sparse latents get a class."""
