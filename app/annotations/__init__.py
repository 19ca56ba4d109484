"""What people say of latents and pairs."""
