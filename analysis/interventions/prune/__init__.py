"""An SAE without chosen latents: cut, folded, measured, written."""
