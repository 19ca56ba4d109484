"""An SAE."""
