"""Read and write the text of a prescription (处方): herbs with doses, then the number of packets and the usage.

The reader is one pass over bounded pieces, so its time grows linearly with the text, and it raises on no text. What it
cannot read it hands back; it never guesses a herb: a name without dose is taken from the first sentence, and from later
sentences (which may be prose) only where the herb table knows it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from tcm.cases import PrescriptionItem

MAX_HERB_NAME = 12
"""Longest herb name in characters; herb tables need 7 (煅紫石英粉 …), prose runs on."""

HAN = "〇\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HALF_WIDTH = (
    {0xFF01 + i: 0x21 + i for i in range(94)}
    | {ord(full): half for full, half in zip("　〜∼—–‐−｡﹑［〔【］〕】", " ~~----。、((()))", strict=True)}
    | {ord("["): "(", ord("]"): ")"}
)
"""Punctuation, digits and letters made half-width, one character for one, so that positions stay the same."""

_UNITS = {"公克": "g", "克": "g", "千克": "kg", "毫克": "mg", "毫升": "ml"}
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,25})?"
_UNIT = (
    r"(?:kg|mg|ml|g|公克|千克|毫克|毫升|克|钱|两(?!次)|分(?!钟|之|[0-9一二三四五六七八九十两次服别])"
    "|[枚片条个根只粒颗支张对具朵块茎节把])"
)
_COUNT = "(?:[一二三四五六七八九]?十[一二三四五六七八九]?|[一二三四五六七八九两半])"
_PIECES = re.compile(r"(?:\([^()\n]{0,60}\)|\.(?=[0-9])|[^,、;。\n\t\r+|.])+")
_TOKEN = re.compile(
    rf"\((?P<note>[^()\n]{{0,60}})\)"
    rf"|(?P<low>{_NUMBER})\s{{0,3}}(?:{_UNIT}?\s{{0,3}}[-~至到]\s{{0,3}}(?P<high>{_NUMBER})\s{{0,3}})?(?P<unit>{_UNIT})?"
    rf"|(?P<name>[{HAN}]+)|(?P<colon>:)|(?P<junk>[^\W0-9{HAN}]+)|.",
    re.I | re.S,
)
_NAME_NEXT = re.compile(rf"\s{{0,3}}[{HAN}]")
_DOSE_IN_NOTE = re.compile(rf"\s?(各?)({_NUMBER})(?:[-~]({_NUMBER}))?\s?({_UNIT})(?:[,、;\s]{{1,3}}(.+))?", re.I)
_HAN_DOSE = re.compile(rf"(?:(?<!三)({_COUNT})({_UNIT})(半?)|()({_UNIT})(半))$")  # not the 七片 of 三七片
_DOSED = re.compile(
    rf"[{HAN})][):\s]{{0,3}}{_NUMBER}\s{{0,3}}(?:[-~至到]\s{{0,3}}{_NUMBER}\s{{0,3}})?"
    rf"(?!ml|毫升)(?:{_UNIT}|$)",
    re.I,
)
_HANDLING = re.compile("(?:(?:久煎|先煎|后下|后入|包煎|布包|烊化|另煎|另炖|冲服|分冲|兑服|吞服|研末|打碎|捣碎)+)")
_PROCESS = re.compile("[炒炙制生酒醋盐蜜姜煅焦炮煨法清鲜麸土米]{1,2}")
_PACKETS = re.compile(
    r"[共计合服用给开予连续x×* ]{0,4}([0-9]{1,3}|[一二三四五六七八九十两]{1,3})\s?[剂付帖副贴]"
    r"(?!量|型|\s?/|分)"
)
_LAST_PACKETS = re.compile(rf"[,;。\s]\s{{0,3}}{_PACKETS.pattern}$")
_USAGE = re.compile(
    "水煎|煎服|煎[0-9一二两三]|浓煎|共煎|加水|取汁|文火|武火|温服|分服|口服|内服|服用|连服|续服|送服|顿服|代茶|上药|上方"
    "|日.{0,3}[剂付]|[每一1][日天]|每次|[0-9]次|分[0-9一二三四两].{0,2}次|早晚|饭前|饭后|睡前|外洗|外敷|外用|外涂|熏洗|共研|为末"
)
_BEFORE_TAIL = re.compile(r"\s(?=(?:[共x×]\s?)?[0-9一二三四五六七八九十]{1,3}\s?[剂付帖]|水煎|[每日]日?[1一]剂)")
_NO_HERB = frozenset({"无", "略", "药物", "药名", "中药", "剂量", "用量", "备注", "功效", "作用"})
_EDGE = " \t\r\n。；;，,、.：:*#_`【[(（{}\"“”'|"


@dataclass(frozen=True)
class ReadPrescription:
    """What a prescription text says, and the pieces of it that could not be read."""

    items: tuple[PrescriptionItem, ...]
    packets: int | None
    usage: str
    unread: tuple[str, ...]


def ignorable(text: str) -> bool:
    """Whether a leftover piece carries nothing: punctuation and list numbers only."""
    return re.fullmatch(r"(?:[0-9]{1,2}|[一二三四五六七八九十]{1,2})?", re.sub(r"[\W_]+", "", text)) is not None


def has_doses(text: str) -> bool:
    """Whether a text holds a herb with a dose."""
    return _DOSED.search(text.translate(HALF_WIDTH)) is not None


@dataclass
class _Draft:
    """A herb while it is read."""

    herb: str
    dose: float | None = None
    high: float | None = None
    unit: str = "g"
    notes: list[str] = field(default_factory=list)

    def item(self) -> PrescriptionItem:
        return PrescriptionItem(
            herb=self.herb, dose=self.dose, dose_high=self.high, unit=self.unit, note="，".join(self.notes)
        )


class _Reader:
    """Collects herbs piece by piece; a piece is what stands between two separators."""

    def __init__(self) -> None:
        self.drafts: list[_Draft] = []
        self.unread: list[str] = []
        self.dosed = False  # the last herb of this piece has just got its dose: handling may follow
        self.strange_unit = False  # a number was not read because of what follows it

    def piece(self, raw: str, half: str, prose: bool) -> None:
        """Read one piece; in prose a name without dose counts only where the herb table knows it."""
        first = len(self.drafts)
        self.dosed = self.strange_unit = False
        for token in _TOKEN.finditer(half):
            text = raw[token.start() : token.end()]
            if token["name"]:
                self._name(text)
            elif token["low"]:
                self._dose(token, text, half, first)
            elif token["note"] is not None:
                self._note(text, token["note"], first)
            elif token["colon"] and len(self.drafts) > first and _NAME_NEXT.match(half, token.end()):
                self.unread.append(self.drafts.pop().herb + "：")
            elif token["junk"]:
                self.unread.append(text)
        if prose:
            self._keep_known(first)

    def _name(self, name: str) -> None:
        """A run of Han characters: a herb, perhaps with handling, 各, or a dose in Han numerals."""
        if self.strange_unit or len(name) > 2 * MAX_HERB_NAME:
            self.unread.append((self.unread.pop() if self.strange_unit else "") + name)
            self.strange_unit = False
            return
        handling = _HANDLING.match(name)
        if handling and self.drafts and (self.dosed or handling.group() == name):
            self.drafts[-1].notes.append(handling.group())
            name = name[handling.end() :]
        if not name:
            return
        amount = _HAN_DOSE.search(name)
        if amount and amount.start():
            self._name(name[: amount.start()])
            low = _count(amount[1] or "") + (0.5 if amount[3] or amount[6] else 0)
            self._set_dose(low, None, amount[2] or amount[5], amount.group())
            return
        notes = []
        for loose in ("适量", "少许"):
            if name.endswith(loose):
                name, notes = name.removesuffix(loose), [loose]
        if (handling := _HANDLING.search(name, 1)) and handling.end() == len(name):
            name, notes = name[: handling.start()], [handling.group()]
        if name in _NO_HERB:
            return
        if not name or len(name.rstrip("各")) > MAX_HERB_NAME:
            self.unread.append(name + "".join(notes))
        else:
            self.drafts.append(_Draft(name, notes=notes))
            self.dosed = False

    def _dose(self, token: re.Match[str], text: str, half: str, first: int) -> None:
        """A number with or without unit; without one it is g of the name before it, unless an unknown unit follows."""
        low, high = float(token["low"]), float(token["high"]) if token["high"] else None
        unit = (token["unit"] or "g").lower()
        if not token["unit"] and re.match(rf"[{HAN}A-Za-z/%]", half[token.end() : token.end() + 1]):
            self.unread.append(text)
            self.strange_unit = re.match(f"[{HAN}]", half[token.end() : token.end() + 1]) is not None
        elif token["unit"] or len(self.drafts) > first:
            self._set_dose(low, high, unit, text)
        else:
            self.unread.append(text)  # a list number, or no dose of ours

    def _undosed(self) -> bool:
        return bool(self.drafts) and self.drafts[-1].dose is None

    def _set_dose(self, low: float, high: float | None, unit: str, text: str) -> None:
        """Give the last herb its dose; after 各 also the herbs without dose that stand directly before."""
        if not self._undosed() or low <= 0 or high == 0:
            self.unread.append(text)
            return
        each = self.drafts[-1].herb.endswith("各")
        self.drafts[-1].herb = self.drafts[-1].herb.rstrip("各")
        if not self.drafts[-1].herb:
            self.drafts.pop()
        for draft in reversed(self.drafts):
            if draft.dose is not None:
                break
            draft.dose, draft.high, draft.unit = low, high, _UNITS.get(unit, unit)
            if not each:
                break
        self.dosed = bool(self.drafts)

    def _note(self, text: str, note: str, first: int) -> None:
        """A bracket: processing that belongs to the name, a dose, or a note on the herb before."""
        dose = _DOSE_IN_NOTE.fullmatch(note)
        if len(self.drafts) == 0 or (len(self.drafts) == first and not note.strip()):
            if not ignorable(text):
                self.unread.append(text)
        elif dose and self._undosed():
            each, low, high, unit, more = dose.groups()
            self.drafts[-1].herb += each
            self.drafts[-1].notes += [text[1:-1][dose.start(5) :]] if more else []
            self._set_dose(float(low), float(high) if high else None, unit.lower(), text)
        elif _PROCESS.fullmatch(note) and self._undosed() and not self.drafts[-1].notes:
            self.drafts[-1].herb += f"（{note}）"
        elif text[1:-1].strip():
            self.drafts[-1].notes.append(text[1:-1].strip())

    def _keep_known(self, first: int) -> None:
        """Of the herbs read since `first`, hand back those without dose that the herb table does not know."""
        from tcm.knowledge import resolve_herb  # reads the tables: only where prose needs them

        new = self.drafts[first:]
        del self.drafts[first:]
        for draft in new:
            if draft.dose is None and resolve_herb(draft.herb) is None:
                self.unread.append(draft.herb)
            else:
                self.drafts.append(draft)


def _count(text: str) -> float:
    """A Han numeral below 100 as a number; 半 is a half, an empty one is 0."""
    digits = {c: i for i, c in enumerate("一二三四五六七八九", 1)} | {"两": 2, "半": 0.5}
    tens, ten, ones = text.rpartition("十")
    return (10 * digits.get(tens, 1) if ten else 0) + digits.get(ones, 0)


def _without_notes(piece: re.Match[str]) -> str:
    """The text of a piece without its brackets."""
    return re.sub(r"\([^()\n]{0,60}\)", "", piece.group()).strip()


def _tail_start(pieces: list[re.Match[str]]) -> int:
    """Index of the first piece about packets or usage after the last herb with a dose; the number of pieces if none."""
    tail = len(pieces)
    for index in range(len(pieces) - 1, -1, -1):
        text = _without_notes(pieces[index])
        if _PACKETS.match(text) or _USAGE.search(text):
            tail = index
        elif _DOSED.search(pieces[index].group().strip()) or _HAN_DOSE.search(text):
            break
    return tail


def read_usage(text: str) -> tuple[int | None, str, str]:
    """Read the end of a prescription, such as ``7剂，水煎服``.

    Returns:
        Packets or None, usage or "", and what stands on later lines and was not read.
    """
    packets = None
    text = text.strip(_EDGE)
    if (first := _PACKETS.match(text.translate(HALF_WIDTH))) and (packets := _packets(first[1])):
        text = text[first.end() :].strip(_EDGE)
    usage, _, rest = text.partition("\n")
    usage = usage.strip(_EDGE)
    last = _LAST_PACKETS.search(usage.translate(HALF_WIDTH)[-40:])
    if packets is None and last and (packets := _packets(last[1])):
        usage = usage[: len(usage) - len(last.group())].strip(_EDGE)
    return packets, usage, rest.strip(_EDGE)


def _packets(text: str) -> int | None:
    """A number of packets; None for 0."""
    return (int(text) if text.isascii() else int(_count(text))) or None


def read_prescription(text: str) -> ReadPrescription:
    """Read herbs, doses, packets and usage from a prescription text; raises on no text."""
    half = _BEFORE_TAIL.sub(",", text.translate(HALF_WIDTH))
    pieces = list(_PIECES.finditer(half))
    tail = _tail_start(pieces)
    reader, prose, end = _Reader(), False, 0
    for piece in pieces[:tail]:
        prose = prose or (bool(reader.drafts) and any(stop in half[end : piece.start()] for stop in "。."))
        end = piece.end()
        raw, bare = text[piece.start() : end], _without_notes(piece)
        if _PACKETS.match(bare) or (_USAGE.search(bare) and not _DOSED.search(bare)):
            reader.unread.append(raw.strip())
        else:
            reader.piece(raw, piece.group(), prose)
    packets, usage, rest = read_usage(text[pieces[tail].start() :]) if tail < len(pieces) else (None, "", "")
    unread = [piece for piece in (*reader.unread, rest) if not ignorable(piece)]
    return ReadPrescription(tuple(draft.item() for draft in reader.drafts), packets, usage, tuple(unread))


def write_number(value: float) -> str:
    """A dose without exponent and needless zeros: 9, 0.5, 0.00001."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def write_items(items: Iterable[PrescriptionItem]) -> str:
    """Herbs with doses and notes, as ``柴胡10g，龙骨20-30g（先煎）``."""
    written = []
    for item in items:
        dose = "" if item.dose is None else write_number(item.dose)
        dose += "" if item.dose_high is None else f"-{write_number(item.dose_high)}"
        written.append(item.herb + (dose and dose + item.unit) + (item.note and f"（{item.note}）"))
    return "，".join(written)
