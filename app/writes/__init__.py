"""What people write, each in one transaction. Queries read; only this package and the worker write."""
