"""One analysis from settings to rows."""
