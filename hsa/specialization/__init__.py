"""What splats stand for: the portrait of one, with its keys, pairs, family and places."""
