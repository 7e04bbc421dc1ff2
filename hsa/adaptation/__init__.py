"""How a field changes as texts arrive: evidence, edits, rules, and the log of all of it."""
