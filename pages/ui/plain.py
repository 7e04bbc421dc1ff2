"""Text of unknown origin, written so that Markdown shows it as it is."""

import re

_MARKS = re.compile(r"([!#$&()*+\-./:<=>@\[\\\]^_`{|}~])")
_UNSENDABLE = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """Every mark that Markdown may read escaped, line breaks kept, halves of characters replaced.

    For places where Streamlit always reads Markdown (labels, messages); longer texts go
    through `st.text`.
    """
    return _MARKS.sub(r"\\\1", sendable(text)).replace("\n", "  \n")


def sendable(text: str) -> str:
    """The text with lone surrogates, which no browser can be sent, as replacement characters."""
    return _UNSENDABLE.sub("\ufffd", text).replace("\0", "")
