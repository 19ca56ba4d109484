"""Ablation and steering, as measured."""
