"""Compare: standard attention beside HSA for one head."""

from pages.ui.case import case
from pages.ui.frame import frame

page = frame("Compare a head", "Where does HSA differ from standard attention in this head?")
case(page, "Choose a sample or type a prompt in the side bar; then choose a head on Explore.")
