"""A run as a folder of files: the server's own pages, rendered with links that lead from file to file.

`plan` says which pages there are, `snapshot` what they are read from, `links` what an address becomes; `build` makes
the pages, `pages` those that only a site has, `rows` and `search` the data that its list and its search read, `bundle`
one classic script of our modules; `folder` puts all in place at once, and `command` talks to a person.
"""
