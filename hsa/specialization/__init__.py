"""What splats stand for: the portrait of one, the functions that they serve, what is wrong."""
