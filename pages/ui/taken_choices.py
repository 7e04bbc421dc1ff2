"""Choices that somebody else had made, taken over: those of a bundle."""

from collections.abc import Mapping

from pages.ui import choices


def take(given: Mapping[str, str], prompt: str) -> list[str]:
    """Choose what somebody else had chosen; all that is not named is as by default.

    Args:
        given: parameters as in an address, without the text.

    Returns:
        The names that mean nothing here; they are as by default.
    """
    unknown = sorted(set(given) - {choice.name for choice in choices.ALL})
    for choice in choices.ALL:
        value = choice.default
        if choice is not choices.TEXT and choice.name in given:
            try:
                value = choice.read(given[choice.name])
            except ValueError:
                unknown.append(choice.name)
        choice.choose(value)
    if choices.prompt_text() != prompt:
        cell = choices.CELL.value
        choices.choose_text(prompt)
        choices.CELL.choose(cell)
    return unknown
