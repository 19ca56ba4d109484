"""The user's labels against the latents."""
