"""What people wrote, in the order of writing."""
