"""SAEs trained anew on activations with a part removed: do dense latents come back without their subspace?"""
