"""The end of a prescription: how many packets (剂), how to take them, and where in the text that begins."""

import re
from collections.abc import Sequence
from itertools import pairwise

from tcm.prescriptions.doses import count
from tcm.prescriptions.tokens import DAILY, HAN_DOSE, NUMBER, PACKETS, UNIT, Token, plain
from tcm.prescriptions.words import herb_like

PACKETS_SAID = re.compile(PACKETS)
_LAST_PACKETS = re.compile(rf"(?:^|[,;。\s服])\s{{0,3}}{PACKETS}$")
_DAILY = re.compile(DAILY)
_BETWEEN_DOSE = ("blank", "note", "handle", "each", "colon", "dash", "verb")
_CELL = ("\t", "|", "\n")
DOSES = ("dose", "han", "slip", "comma")
USES = ("use", "pack")
WEIGHTS = ("g", "克", "钱", "kg", "公克", "公分")
_HEADING = frozenset("用法 服法 煎法 煎服法 用法用量 煎服方法 服用方法 剂数 付数 帖数 贴数 医嘱 备注".split())
_NO_NAME = re.compile("[服约各取加至温开水用煎药入量浸泡放后再次每共]+")
_A_TIME = re.compile("[0-9](?:g|克|钱)$")
_BRACKET = re.compile(rf"\((?:[^()\n]*[,、;\s])?各?(?:{NUMBER}\s?{UNIT}|{HAN_DOSE})")
EDGE = " \t\r\n。；;，,、.：:*#_`【[(（{}\"“”'|"
"""Signs that are cut from the ends of a piece."""


def read_usage(text: str) -> tuple[int | None, str, str]:
    """Read the end of a prescription, such as ``7剂，水煎服``.

    Returns:
        Packets or None, usage or "", and what stands on later lines and was not read.
    """
    packets = None
    text = text.strip(EDGE)
    if (first := PACKETS_SAID.match(plain(text))) and (packets := _packets(first["packets"])):
        text = text[first.end() :].strip(EDGE)
    usage, _, rest = text.partition("\n")
    usage = usage.strip(EDGE)
    if packets is None:
        half = _DAILY.sub(lambda match: "_" * len(match.group()), plain(usage))
        last = _LAST_PACKETS.search(half, max(0, len(half) - 40))
        if last and (packets := _packets(last["packets"])):
            start = last.start() + (last.group()[:1] == "服")
            usage = usage[:start].strip(EDGE)
        elif inside := PACKETS_SAID.search(half):
            packets = _packets(inside["packets"])
    return packets, usage, rest.strip(EDGE)


def _packets(text: str) -> int | None:
    """A number of packets; None for 0."""
    return (int(text) if text.isascii() else int(count(text))) or None


def loose_doses(words: Sequence[Token]) -> list[str]:
    """Weights in the usage that belong to no word of usage (每次3g): named, since a dose is never usage."""
    found = []
    for before, word in pairwise(words):
        unit = word.match["unit"] if word.kind == "dose" else None
        if unit and unit.lower() in WEIGHTS and before.kind not in ("use", "each"):
            found.append((before.raw if before.kind == "name" else "") + word.raw)
    return found


def has_herb(piece: Sequence[Token]) -> bool:
    """Whether a piece with usage holds a herb with a dose."""
    return any(_bound(piece, i) for i in range(len(piece)))


def _bound(words: Sequence[Token], at: int) -> bool:
    """Whether a word is the dose of a herb: a name stands before it, or right after it."""
    word = words[at]
    a_time = word.kind == "use" and _A_TIME.search(word.half)
    if word.kind not in DOSES and not a_time and not (word.kind == "note" and _BRACKET.match(word.half)):
        return False
    before = at - 1
    while before >= max(0, at - 12) and (words[before].kind in _BETWEEN_DOSE or words[before].half in _CELL):
        before -= 1
    name = words[before].half if before >= 0 and words[before].kind == "name" else ""
    if not name and word.kind in ("dose", "han") and at + 1 < len(words) and words[at + 1].kind == "name":
        return herb_like(words[at + 1].half)
    unit = word.match["unit"] if word.kind == "dose" else "g"
    if a_time or not unit or unit in ("ml", "毫升"):
        return herb_like(name) if name else False
    return bool(name) and not _NO_NAME.fullmatch(name)


def tail_start(words: Sequence[Token]) -> int:
    """Index of the first word about packets or usage after the last herb with a dose; the number of words if none."""
    last = next((at for at in range(len(words) - 1, -1, -1) if _bound(words, at)), -1)
    for at in range(last + 1, len(words)):
        if words[at].kind in USES:
            start = at
            while start > last + 1 and words[start - 1].kind != "sep":
                start -= 1
            names = [word.half for word in words[start:at] if word.kind == "name"]
            if names and set(names) <= _HEADING:
                return at
            return at if start == last + 1 or any(herb_like(name) for name in names) else start
    return len(words)
