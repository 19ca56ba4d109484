"""Latents beside each other."""
