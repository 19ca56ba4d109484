"""Two latents as one signed signal."""
