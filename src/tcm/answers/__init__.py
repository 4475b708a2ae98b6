"""Answers: any model's text read as one typed answer, an answer written in the study's layout, a case as text."""

from tcm.answers.labels import LABELS
from tcm.late import late

__getattr__ = late(
    __name__,
    {
        "reading": "MAX_CHARS REQUIRED ParsedAnswer format_valid missing_fields parse previous_items read_for write"
        " write_for"
    },
)
