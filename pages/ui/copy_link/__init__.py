"""Copy Link: the address of what is shown, and what no address can hold."""

from .button import copy_link

__all__ = ["copy_link"]
