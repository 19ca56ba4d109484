"""Work on several processes or machines, by Ray: a cluster, a crew of actors on it, and what they say of themselves."""
