"""What splats are: the field, its frame, its hierarchy, and what it knows of a prompt."""
