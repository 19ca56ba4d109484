"""The protocol: who may ask, headers, cache, errors, static files."""
