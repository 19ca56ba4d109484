"""Mean-ablation: what the model says next when a latent, a pair or all dense latents are held at their mean."""
