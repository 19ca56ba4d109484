"""The server: reads the store and shows it. Imports neither torch nor numpy nor analysis."""
