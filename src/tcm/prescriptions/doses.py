"""Doses: what a written amount says in numbers and unit, what of it is a guess, and whether it is out of reason."""

import re
from collections.abc import Sequence

from tcm.knowledge import herb_info, resolve_herb
from tcm.prescriptions.tokens import COUNT, DIGITS, GRAM_WORDS, HAN_DOSE, NUMBER, UNIT, Token, without_unit
from tcm.prescriptions.words import is_herb

_NOTE_DOSE = re.compile(
    rf"(?:(?P<before>.+)[,、;\s]{{1,3}})?\s?(?P<each>各?)"
    rf"(?:(?P<low>{NUMBER})(?:[-~](?P<high>{NUMBER}))?\s?(?P<unit>{UNIT})|(?P<han>{HAN_DOSE}))"
    r"(?:[,、;\s]{1,3}(?P<after>.+))?"
)
_WEIGHTS = frozenset("g kg mg ml 克 公克 公分 千克 毫克 毫升 钱 斤".split())
_BESIDE = frozenset({"blank", "dash", "each", "note", "handle"})
_WRITTEN_UNITS = {"毫克": "mg", "毫升": "ml", "千克": "kg", **dict.fromkeys(GRAM_WORDS, "g")}
_LOOKALIKE = str.maketrans("lIOoSZ|", "1100521")


_VALUES = (
    {c: i for i, c in enumerate("一二三四五六七八九", 1)}
    | {c: i for i, c in enumerate("壹贰叁肆伍陆柒捌玖", 1)}
    | {"两": 2, "半": 0.5}
)


def count(text: str) -> float:
    """A Han numeral below 1000 as a number; 半 is a half."""
    text = text.replace("拾", "十").replace("廿", "二十").replace("卅", "三十").replace("零", "")
    hundreds, hundred, rest = text.rpartition("百")
    tens, ten, ones = rest.rpartition("十")
    return (
        (100 * _VALUES.get(hundreds, 1) if hundred else 0)
        + (10 * _VALUES.get(tens, 1) if ten else 0)
        + _VALUES.get(ones, 0)
    )


_HAN_PARTS = re.compile(
    rf"(?:(?P<from>{COUNT})(?P<of>[钱两分])?[至到~-])?(?P<count>{COUNT})?(?P<unit>{UNIT})(?:(?P<half>半)|(?P<more>[{DIGITS}]{{1,2}})(?P<lower>[钱分]))?"
)
_TENTHS = {("钱", "分"): 10, ("两", "钱"): 10}


def han_dose(text: str) -> tuple[float, float | None, str]:
    """A dose in Han numerals as (low, high or None, unit): 一钱五分 and 钱半 are 1.5 钱, 二三钱 and 二至三钱 2 to 3 钱.

    Source: 1 两 = 10 钱 = 100 分, the decimal measures of weight in use for drugs since the Song dynasty.
    """
    parts = _HAN_PARTS.match(text)
    number, unit = parts["count"] or "一", parts["unit"]
    if len(number) == 2 and not set(number) & set("十拾百廿卅") and _VALUES[number[0]] < _VALUES[number[1]]:
        return _VALUES[number[0]], _VALUES[number[1]], unit
    if parts["from"]:
        tenths = _TENTHS.get((unit, parts["of"]), 1) if parts["of"] != unit else 1
        return count(parts["from"]) / tenths, count(number), unit
    low = count(number) + (0.5 if parts["half"] else 0)
    if parts["more"]:
        low += count(parts["more"]) / _TENTHS.get((unit, parts["lower"]), 10)
    return low, None, unit


def unit_of(text: str | None) -> str:
    """A unit in the one spelling that we write; "" where there is none."""
    text = (text or "").lower()
    return _WRITTEN_UNITS.get(text, text)


def amount(word: Token) -> tuple[float, float | None, str, str]:
    """Low, high, unit ("" where none is written) and the guess of a dose."""
    if word.kind == "han":
        low, high, unit = han_dose(word.half)
        return low, high, unit_of(unit), ""
    if word.kind == "comma":
        number = re.match("[0-9,]+", word.half).group()
        guess = "" if number.startswith("0") else f"decimal comma: {word.raw}"
        return float(number.replace(",", ".")), None, unit_of(word.half[len(number) :].strip()), guess
    if word.kind == "slip":
        digits = re.sub(r"\s", "", re.match(r"[0-9lIOoSZ|.\s]+", word.half).group()).translate(_LOOKALIKE)
        value = float(digits) if re.fullmatch(NUMBER, digits) else 0.0
        return value, None, "g", f"read from {word.raw}"
    low, high, unit = word.match.group("low", "high", "unit")
    return float(low), float(high) if high else None, unit_of(unit), ""


def amount_in_note(note: str) -> tuple[float, float | None, str, bool, slice] | None:
    """A dose at an end of a bracket (30g，先煎): low, high, unit, whether 各 stands before it, where the rest is."""
    match = _NOTE_DOSE.fullmatch(note)
    if match is None:
        return None
    rest = slice(*match.span("before" if match["before"] else "after"))
    if match["han"]:
        low, high, unit = han_dose(match["han"])
        return low, high, unit_of(unit), bool(match["each"]), rest
    high = float(match["high"]) if match["high"] else None
    return float(match["low"]), high, unit_of(match["unit"]), bool(match["each"]), rest


def units_apart(words: list[Token]) -> list[Token]:
    """Characters between a number and a name given to the one that they belong to.

    A counted unit begins the name (杜仲20 两面针18) unless the herb before is counted so (生姜3片); a half ends the
    dose (一钱半夏天无) where the rest is a herb and the whole is none.
    """
    for at in range(len(words) - 1):
        number, name = words[at], words[at + 1]
        if name.kind != "name" or number.end != name.start:
            continue
        unit = number.match["unit"] if number.kind == "dose" else None
        half = number.kind == "han" and name.half[0] == "半"
        if half and not is_herb(name.half) and is_herb(name.half[1:]):
            words[at] = number._replace(raw=number.raw + "半", half=number.half + "半", end=number.end + 1)
            words[at + 1] = name._replace(raw=name.raw[1:], half=name.half[1:], start=name.start + 1)
        elif at and unit and unit not in _WEIGHTS and is_herb(unit + name.half):
            known = resolve_herb(words[at - 1].half)
            if known is None or herb_info(known.canonical).piece != unit:
                words[at], words[at + 1] = without_unit(number, name)
    return words


def doses_come_first(words: Sequence[Token]) -> bool:
    """Whether each dose of a piece stands before its name (30g黄芪); numbers alone may be those of a list."""
    solid = [word for word in words if word.kind not in _BESIDE]
    if len(solid) < 2 or solid[0].kind not in ("dose", "han") or solid[-1].kind != "name" or words[0].kind == "each":
        return False  # 各10g before its herbs is the dose of all of them
    first, second = solid[:2]
    bare = first.kind == "dose" and not first.match["unit"]
    if bare and (float(first.match["low"]) <= 2 or first.end != second.start):
        return False
    return sum(w.kind == "name" for w in solid) == sum(w.kind in ("dose", "han") for w in solid)


def explains(rest: Sequence[Token]) -> bool:
    """Whether what follows the colon after a dose explains the herb (黄芪30g：补气): words, and no other dose."""
    return bool(rest) and not any(word.kind in ("dose", "han", "slip") for word in rest)
