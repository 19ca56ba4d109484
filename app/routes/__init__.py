"""Routes: parse, query, page, render; about ten lines each."""
