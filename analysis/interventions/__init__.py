"""Experiments on the model itself: ablate, steer, retrain without, prune; and the verdict that follows."""
