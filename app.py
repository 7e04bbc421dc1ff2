"""Navigation only: `streamlit run app.py`."""

import streamlit as st

from pages.ui.frame import NAVIGATED

st.session_state[NAVIGATED] = True
st.navigation(
    [
        st.Page("pages/start.py", title="Explore", default=True),
        st.Page("pages/compare.py", title="Compare a head"),
        st.Page("pages/glossary.py", title="What the words mean"),
    ]
).run()
