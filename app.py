"""Navigation only: `streamlit run app.py`."""

import streamlit as st

from pages.ui.frame import NAVIGATED, PAGES

st.session_state[NAVIGATED] = True
st.navigation(
    [
        st.Page(file, title=title, default=number == 0)
        for number, (file, title) in enumerate(PAGES.items())
    ],
    position="hidden",
).run()
