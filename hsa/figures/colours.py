"""The colours that mean something, the same in every figure."""

# What answers for attention mass, from near tokens to closed Documents (ANSWERED_BY): tokens
# in teal, splats from amber to brown, told apart in greyscale too.
ANSWER_COLOURS = ("#63b3ad", "#1d6a72", "#f2b872", "#d9772b", "#8f3b12")
# What stands behind for comparison.
BACKGROUND = "#c9ced6"
CHOSEN = "#e0218a"
# The two attentions.
STANDARD_COLOUR, HSA_COLOUR = "#1d8a94", "#d9772b"
# High is good: pale to deep blue-green.
SEQUENTIAL = "Viridis"
SEQUENTIAL_REVERSED = "Viridis_r"
