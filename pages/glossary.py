"""The words of this app, in plain language."""

from pathlib import Path

import streamlit as st

from pages.ui.frame import frame

GLOSSARY = Path(__file__).resolve().parents[1] / "assets" / "glossary.md"

frame("What the words mean", "What do splats, levels, reads and agreement stand for here?")
st.markdown(GLOSSARY.read_text("utf-8"))
