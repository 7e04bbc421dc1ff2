"""What was found, as one file that others can open and verify: bundles."""
