"""SAEs trained anew with parts of the activations removed."""
