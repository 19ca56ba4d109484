"""A latent: its page, the list of them, what the store holds of it."""
