"""Days of the calendar.

Durations (3天, 半年), months alone (失眠3月), years alone and solar terms stay: medicine needs them.
"""

import re
from collections.abc import Iterator

from tcm.identifiers.spans import Span, found

_YEAR = r"(?:1[89]|20)\d{2}"
_MONTH = r"(?:1[0-2]|0?[1-9])"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_HAN_YEAR = "[一二][零〇○一二三四五六七八九]{3}"
_HAN_DAY = "[一二三四五六七八九十廿卅]{1,3}"

_EVENT = "就诊|复诊|初诊|来诊|入院|出院|复查|住院|手术|起病|[首再二三四五六七八九十]诊"

PATTERNS = [
    re.compile(rf"(?<!\d){_YEAR}\s*年\s*{_MONTH}\s*月(?:\s*{_DAY}(?:\s*[日号]|(?![\d天日号])))?"),
    re.compile(rf"(?<![\d.]){_YEAR}\s*([-/.．])\s*{_MONTH}(?:\s*\1\s*{_DAY}(?!\d))(?:[日号](?!\d))?"),
    re.compile(rf"(?<![\d.]){_YEAR}[-/]{_MONTH}(?![\d/-])(?=\s*(?:[月，,。；;）)]|因|行|起|查|于|至|在|复|初|就|"
        rf"入|出|手术|$))"),
    re.compile(rf"(?<![\dA-Za-z.]){_YEAR}(?:1[0-2]|0[1-9])(?:3[01]|[12]\d|0[1-9])(?!\d|\.\d)"),
    re.compile(r"(?<![\d./-])(?:[012]\d)([-/.])(?:1[0-2]|0[1-9])\1(?:3[01]|[12]\d|0[1-9])(?![\d./-])"),
    re.compile(rf"(?<![\d./-])\d{{2}}([-/.]){_MONTH}\1{_DAY}[日号]?(?=\s*(?:{_EVENT}))"),
    re.compile(rf"(?<![\d./年-]){_MONTH}\s*月\s*{_DAY}\s*[日号](?!\d)"),
    re.compile(rf"(?<![\d./]){_MONTH}/{_DAY}(?=\s*(?:就诊|复诊|初诊|来诊|入院|出院|复查|住院|手术|起病))"),
    re.compile(rf"(?<!\d)['’]?\d{{2}}\s*年\s*{_MONTH}\s*月\s*{_DAY}\s*[日号]?(?![\d天])"),
    re.compile(rf"(?<![\d病程史达已近约共长])['’]?[5-9]\d年{_MONTH}月(?=\s*(?:{_EVENT}|[起因行查患]|发现|确诊))"),
    re.compile(rf"(?:^|(?<=[，,。；;\n（(于自从在]))['’]?[0-4]\d年{_MONTH}月(?= ?(?:{_EVENT}))"),
    re.compile(rf"{_HAN_YEAR}年(?:{_HAN_DAY}月(?:{_HAN_DAY}[日号])?)"),
    re.compile(rf"(?<![一二三四五六七八九十]){_HAN_DAY}月(?:初{_HAN_DAY}|{_HAN_DAY}[日号])"),
    re.compile(rf"(?<!\d){_DAY}\s*[/-]\s*{_MONTH}\s*[/-]\s*{_YEAR}(?!\d)"),
]  # fmt: skip
"""Source: our choice; months of a year (2023年3月) count as dates, years alone do not (as in HIPAA's safe harbour).

A year of two digits with a month may be a duration (20年3月): only what happened then, or a great number, tells."""

_HAS_DATE = re.compile(
    r"月\s*\d|\d\s*月|月初?[一二三四五六七八九十廿卅]|(?:1[89]|20)\d{2}|"
    r"\d/\d|\d\s*[-/.]\s*\d+\s*[-/.]\s*\d|诊.{0,6}\d[-.]\d"
)
_BORN = re.compile(rf"(?:出?生于|出生(?:日期|年月|时间)?[:：]?)\s*({_YEAR}年?)(?!\d)")
_MEASURED = (
    r"[%‰℃°a-zA-Zμ×/+*↑↓]|[~-]\s*\d|[克斤钱度天日年个片粒毫厘万成倍层剂付贴帖岁至到]|小时|两(?![胁目侧颧耳眼手足下])|次(?!日)|"
    "周(?!身)|月(?!经)|分(?!泌)|余(?![症无])|多(?![梦汗])"
)
"""Units, where no complaint begins like one (两胁, 周身)."""
_WHICH_VISIT = r"(?:[初首末复再]|[一二三四五六七八九十]{1,2}|(?<!\d)\d{1,2})诊(?:日期|时间)?"
_VISIT = re.compile(
    rf"{_WHICH_VISIT}\s*[:：（(]?\s*((?:\d{{2}}[-/.])?{_MONTH}(?:[/.]{_DAY}(?:[日号](?=[\s，,。；;：:）)]|$)|"
    rf"(?<=[/.]\d\d)[日号])?|-{_DAY}(?=\s*(?:[，,。；;）)]|$))))(?![\d.]|\s*(?:{_MEASURED}))"
)
"""The day after the count of a visit (三诊：11.22), where it is no measured value (复诊：5.6mmol/L)."""


def dates(text: str) -> Iterator[Span]:
    """Dates in a text in half-width digits."""
    if not _HAS_DATE.search(text):
        return
    for pattern in PATTERNS:
        yield from (Span(*match.span(), "date") for match in pattern.finditer(text))
    yield from found(_BORN, text, "date")
    yield from found(_VISIT, text, "date")
