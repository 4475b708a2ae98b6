"""One cell of a record -> one value: what is missing, who the patient is, and when the visit was.

Missing is what is empty or one of `MISSING`. 无 ("none") is missing where a field can have no such value (a syndrome,
a tongue, an id), and a finding in 主诉 and 现病史 (no complaint). A list or an object is never turned into its Python
text: a list of texts is read as its parts, anything else is an error.
"""

import datetime as dt
import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from tcm.prescriptions.doses import count
from tcm.unseen import without

MISSING = frozenset(
    "nan none null nil n/a na #n/a #value! #ref! <na> nat - -- --- — —— / // \\ . 未填 未填写 未录入 未记录 未提供 "
    "空 空白 缺 缺失 不详 未知 暂无 ？ ?".split()
)
"""Spellings of nothing, in small letters: those of pandas, spreadsheets, databases and people."""

NONE_IS_A_FINDING = ("chief_complaint", "history")
SEXES = {"男": "男", "男性": "男", "男士": "男", "m": "男", "male": "男"}
SEXES |= {"女": "女", "女性": "女", "女士": "女", "f": "女", "female": "女"}
TRUTHS = dict.fromkeys(("1", "true", "yes", "是", "有", "妊娠", "怀孕", "孕"), True)
TRUTHS |= dict.fromkeys(("0", "false", "no", "否", "无", "未孕", "未妊娠", "未怀孕"), False)

_AGE = re.compile(
    r"(?P<bare>\d{1,4}(?:\.\d+)?)"
    r"|(?:(?P<years>\d{1,4}(?:\.\d+)?)(?:周?岁|years?|y)(?P<half>半)?零?)?"
    r"(?:(?P<months>\d{1,3}(?:\.\d+)?)(?:个?月龄?|m)零?)?(?:(?P<days>\d{1,3})(?:天|日龄?|d))?"
)
_ORDINAL = re.compile(r"第?([0-9]{1,3}|[一二三四五六七八九十两]{1,3})(?:次?就?诊|次)?(?:\.0+)?")
_DATE = re.compile(r"((?:19|20)\d\d)[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?(?:[T\s].*|\d{6})?", re.S)
_LATER = frozenset("复诊 复查 随诊 随访 followup follow-up".split())


class CellError(ValueError):
    """A cell that cannot be used.

    Args:
        field: our name of the field.
        kind: what is wrong, without the value: equal for all cells of that kind.
        said: the message, with the value and the fix.
        line: of the record, where it is not the one that is being read.
    """

    def __init__(self, field: str, kind: str, said: str, line: int | None = None) -> None:
        super().__init__(said)
        self.field, self.kind, self.said, self.line = field, kind, said, line


def plain(value: Any) -> str:
    """A cell as the text that a person sees, in half-width letters and digits, without blanks at its ends."""
    return unicodedata.normalize("NFKC", written(value))


def written(value: Any) -> str:
    """A cell as it is written: whole numbers without ``.0``, dates as 2024-03-05."""
    if isinstance(value, str):
        return value.strip().strip("\ufeff\u200b").strip()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        value = value.date()
    return str(value).strip()


def text_of(field: str, value: Any) -> str:
    """The text of a cell; "" where it is missing.

    Raises:
        CellError: for an object, or a list that holds more than texts and numbers.
    """
    if isinstance(value, list | tuple):
        if any(isinstance(part, dict | list | tuple) for part in value):
            raise CellError(field, "a nested list", f"{str(value)[:60]!r} is no text; write one text")
        return "，".join(part for part in (text_of(field, part) for part in value) if part)
    if isinstance(value, dict):
        raise CellError(
            field, "an object", f"an object with {', '.join(map(str, value))[:60]!r} is no text; write one text"
        )
    if isinstance(value, bool):
        raise CellError(
            field, "a truth", f"'{written(value)}' is no value of this field; write it out, or leave it empty"
        )
    text = without(written(value))
    bare = plain(text).lower()
    return "" if bare in MISSING or (bare == "无" and field not in NONE_IS_A_FINDING) else text


def id_of(field: str, value: Any) -> str:
    """An id as one and the same text however it was written: 1001, 1001.0 and １００１ are one patient."""
    return re.sub(r"^(\d+)\.0+$", r"\1", plain(text_of(field, value)))


def sex_of(value: Any) -> str:
    """男, 女 or ""."""
    text = plain(text_of("sex", value)).lower()
    if text and text not in SEXES:
        raise CellError("sex", "neither 男 nor 女", f"{text[:60]!r}; write 男 or 女, or leave it empty")
    return SEXES.get(text, "")


def age_of(value: Any) -> float | None:
    """Age in years: 45, 45.0, 45岁, 3岁4个月, 3岁半, 8个月, 20天.

    Source:
        Months are twelfths, days 365ths of a year: the inverse of `wording.age_text`.
    """
    text = re.sub(r"\s", "", plain(text_of("age", value)).lower())
    if not text:
        return None
    found = _AGE.fullmatch(text)
    if not found or not any(found.group("bare", "years", "months", "days")):
        raise CellError("age", "no age", f"{text[:60]!r}; write years such as 45 or 45岁, or 3岁4个月, 8个月, 20天")
    years = float(found["bare"] or found["years"] or 0) + (0.5 if found["half"] else 0)
    years += float(found["months"] or 0) / 12 + float(found["days"] or 0) / 365
    if years > 120:
        raise CellError("age", "an impossible age", f"{text[:60]!r}; years from 0 to 120")
    return years


def pregnant_of(value: Any) -> bool:
    """Whether a pregnancy is stated; empty is no."""
    text = plain(written(value)).lower()
    if text in MISSING or not text:
        return False
    if text not in TRUTHS:
        raise CellError("pregnant", "neither yes nor no", f"{text[:60]!r}; write true or false")
    return TRUTHS[text]


@dataclass(frozen=True)
class VisitMark:
    """What a record says of when its visit was.

    Args:
        number: 1 = first; None where it is not said.
        later: a follow-up without number (复诊).
        date: of the visit.
    """

    number: int | None = None
    later: bool = False
    date: dt.date | None = None


def visit_of(values: list[Any]) -> VisitMark:
    """The number of a visit (1, 1.0, 第2次), its name (初诊, 复诊, 二诊), its date, or several of these in columns."""
    marks = [mark for mark in map(_mark, values) if mark]
    numbers, dates = {m.number for m in marks if m.number}, {m.date for m in marks if m.date}
    later = any(m.later for m in marks)
    if len(numbers) > 1 or len(dates) > 1 or (later and 1 in numbers):
        said = "、".join(map(written, values))
        raise CellError("visit", "two visits in one record", f"{said[:80]!r} contradict each other; correct one")
    return VisitMark(next(iter(numbers), None), later and not numbers, next(iter(dates), None))


def _mark(value: Any) -> VisitMark | None:
    if isinstance(value, dt.datetime | dt.date):
        return VisitMark(date=value.date() if isinstance(value, dt.datetime) else value)
    text = plain(text_of("visit", value)).lower()
    if not text:
        return None
    if text in ("初诊", "首诊", "初次就诊", "首次就诊"):
        return VisitMark(number=1)
    if text in _LATER:
        return VisitMark(later=True)
    if found := _DATE.fullmatch(text):
        try:
            return VisitMark(date=dt.date(*map(int, found.groups())))
        except ValueError:
            raise CellError("visit", "no date", f"{text[:60]!r} is no day of the calendar; correct it") from None
    if re.fullmatch(r"[3-7]\d{4}(\.\d+)?", text):  # a day as spreadsheets count them, from 1900 on
        return VisitMark(date=dt.date(1899, 12, 30) + dt.timedelta(int(float(text))))
    found = _ORDINAL.fullmatch(text)
    said = found[1] if found and (text.isascii() or found[1] != text) else "0"
    number = int(said) if said.isascii() else count(said)
    if number < 1:
        fix = "write 1 for the first visit, 2 for the second, …, 初诊, 复诊, 二诊, or the date"
        raise CellError("visit", "no visit", f"{text[:60]!r}; {fix}")
    return VisitMark(number=number)
