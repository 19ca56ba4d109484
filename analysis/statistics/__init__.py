"""The statistics, one file each: update, merge, summarise; and the geometry of the weights."""
