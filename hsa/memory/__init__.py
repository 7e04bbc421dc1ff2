"""How much memory a computation took, how much there is, and how much one will need."""
