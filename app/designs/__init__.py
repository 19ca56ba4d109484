"""Designs of SAEs for what is dense and sparse together, compared."""
