"""Session and filters in, frozen dataclasses out. The only files of the server that know the tables."""
