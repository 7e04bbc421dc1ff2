"""The words of this app, in plain language."""

import streamlit as st

from pages.ui.frame import frame
from pages.ui.terms import glossary

frame("What the words mean", "What do splats, levels, reads and agreement stand for here?")
for section, entries in glossary().items():
    st.subheader(section, anchor=False)
    for entry in entries:
        st.markdown(f"##### {entry.title}\n{entry.meaning}")
