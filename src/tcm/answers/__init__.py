"""Answers: any model's text read as one typed answer, an answer written in the study's layout, a case as text."""

from typing import Any

from tcm.answers.labels import LABELS

_OF_READING = frozenset(
    "MAX_CHARS REQUIRED ParsedAnswer format_valid missing_fields parse previous_items read_for write write_for".split()
)


def __getattr__(name: str) -> Any:
    """What `reading` offers, loaded where it is asked for: many commands start without its patterns."""
    if name not in _OF_READING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tcm.answers import reading

    return getattr(reading, name)
