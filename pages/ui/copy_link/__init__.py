"""Copy Link: the address of what is shown, and what no address can hold."""

from .button import caveats, copy_link

__all__ = ["caveats", "copy_link"]
