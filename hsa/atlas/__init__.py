"""The splats of one head, or of several, on a plane: where they lie and what is known of each."""
