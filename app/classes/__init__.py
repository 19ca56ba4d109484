"""What a latent does: the classes, their scores and pictures."""
