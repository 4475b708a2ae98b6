"""What a finder of identifiers returns: a place in a text, and of which kind it is."""

import re
from collections.abc import Iterator
from typing import NamedTuple

MARKS = {
    "name": "姓名",
    "identity number": "证件号",
    "record number": "编号",
    "telephone number": "电话",
    "e-mail": "邮箱",
    "account": "账号",
    "address": "地址",
    "organisation": "单位",
    "date": "日期",
    "age over 89": "90+",
}
"""Kind of identifier -> what stands in its place, in the brackets 〔〕 (an age is replaced as it is)."""

HAN = "[\u4e00-\u9fff]"


class Span(NamedTuple):
    """Characters `first` to `end` of a text, and their kind."""

    first: int
    end: int
    kind: str


def found(pattern: re.Pattern[str], text: str, kind: str) -> Iterator[Span]:
    """A span for each match: of its first group that matched, else of the whole."""
    for match in pattern.finditer(text):
        group = match.lastindex or 0
        if match.end(group) > match.start(group):
            yield Span(match.start(group), match.end(group), kind)


def merged(spans: list[Span]) -> list[Span]:
    """Spans in order, overlapping ones as one of the kind of the longest."""
    joined: list[Span] = []
    longest = 0
    for span in sorted(spans):
        length = span.end - span.first
        if joined and span.first < joined[-1].end:
            last = joined[-1]
            kind = span.kind if length > longest else last.kind
            joined[-1] = Span(last.first, max(last.end, span.end), kind)
            longest = max(longest, length)
        else:
            joined.append(span)
            longest = length
    return joined
