"""Navigation only: `streamlit run app.py`."""

import streamlit as st

st.navigation(
    [
        st.Page("pages/start.py", title="Explore", icon=":material/grid_view:", default=True),
        st.Page("pages/compare.py", title="Compare a head", icon=":material/compare:"),
        st.Page("pages/glossary.py", title="What the words mean", icon=":material/menu_book:"),
    ]
).run()
