"""Designs of SAEs for what is dense and sparse together, trained at equal L0 and compared."""
