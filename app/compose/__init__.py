"""Query results -> pages: what is said, coloured and drawn. No SQL, no HTML."""
