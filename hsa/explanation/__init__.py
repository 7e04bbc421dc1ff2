"""Why a weight is what it is: shares, contributors, top pairs, and the checks of all three."""
