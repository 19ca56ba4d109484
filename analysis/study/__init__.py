"""A study: everything that is asked of one set of texts or rows, in one file, done in order and gone on with after any
end; and what has changed since the last time."""
