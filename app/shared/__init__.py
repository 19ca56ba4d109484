"""What several nouns need: figures, tokens, numbers, links, cursors."""
