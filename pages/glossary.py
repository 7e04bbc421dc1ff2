"""The words of this app, in plain language."""

import streamlit as st

from pages.ui.frame import frame
from pages.ui.terms import glossary

frame("What the words mean", "What do splats, levels, reads and agreement stand for here?")
for section, entries in glossary().items():
    st.header(section, anchor=False)
    for entry in entries:
        st.subheader(entry.title, anchor=entry.anchor)
        st.markdown(entry.meaning)
