"""Answers: any model's text read as one typed answer, an answer written in the study's layout, a case as text."""

from tcm.answers.reading import MAX_CHARS, ParsedAnswer, format_valid, missing_fields, parse, write

__all__ = ["MAX_CHARS", "ParsedAnswer", "format_valid", "missing_fields", "parse", "write"]
