"""Lists of latents as files."""
