"""A run as a folder of files: the server's own pages, with addresses that lead from file to file.

`places` knows which page becomes which file, `asking` gets a page from the application, `rewrite` turns its
addresses round, `bundle` makes one classic script of our modules, `rows` and `found` are the data of the list and
of the search, `folder` puts all in place at once, `build` does it in order, `command` talks to a person.
"""
