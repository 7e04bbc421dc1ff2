"""What a caller may meet: one error with three kinds, each saying what to try."""

from __future__ import annotations


class HSAError(Exception):
    """A refusal that a reader can act on.

    Args:
        got: what was met, shortened by the caller if it is a visitor's text.
        needed: what would have been accepted.
        attempt: what to try next.
    """

    def __init__(
        self,
        message: str,
        *,
        got: object | None = None,
        needed: object | None = None,
        attempt: str | None = None,
    ) -> None:
        self.message = message
        self.got = got
        self.needed = needed
        self.attempt = attempt
        super().__init__(message, got, needed, attempt)

    def __str__(self) -> str:
        sentences = [self.message.rstrip(".")]
        if self.got is not None:
            sentences.append(f"Got: {self.got}".rstrip("."))
        if self.needed is not None:
            sentences.append(f"Needed: {self.needed}".rstrip("."))
        if self.attempt is not None:
            sentences.append(f"Try: {self.attempt}".rstrip("."))
        return ". ".join(sentences) + "."


class InputError(HSAError):
    """A text, a number or a file that cannot be worked with."""


class ModelError(HSAError):
    """A model that is unknown, unreachable, damaged or not of a supported kind."""


class FieldError(HSAError):
    """A splat field that is damaged, newer than this program, or of another model."""
