"""Training SAEs with sae-lens' own trainers over the same reading code as the analysis."""
