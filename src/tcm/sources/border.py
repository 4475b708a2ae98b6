"""What a prescription says against what was read of it, measured on the text itself and not on what the reader returns.

A reader that skips a herb without a word would not report it either. So the doses and the known herb names of the text
are counted by simpler means, and each that is not among the items counts as lost.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from tcm import answers
from tcm.cases import Answer, PrescriptionItem, explain
from tcm.knowledge import resolve_herb
from tcm.knowledge.names import GRAMS
from tcm.prescriptions.notation import ReadPrescription, read_prescription, read_prescriptions
from tcm.prescriptions.tokens import HALF_WIDTH
from tcm.prescriptions.writing import write_items
from tcm.sources.cells import CellError, text_of

_NUMBER = r"\d{1,6}(?:\.\d+)?"
_PIECE = "枚片条个只粒颗根张对具朵块"
_DOSE = re.compile(
    rf"(?<![\d.每次服日共加水约第])({_NUMBER})\s*(?:g|克)?(?:\s*[-~至到]\s*({_NUMBER}))?"
    rf"\s*(g(?![a-z])|克|公克|kg|mg|千克|毫克|钱|两(?!次)|分(?!钟|之|次|\d)|[{_PIECE}]|(?=[\s,、;。]|$))"
)
_HAN_DOSE = re.compile("(?<!三)[一二三四五六七八九十两半]{1,3}(?:钱|两(?!次)|克)")
_HAN = r"[\u4e00-\u9fff]+"
_AFTER_NAME = re.compile(rf"({_HAN})\s*({_NUMBER})(?![\d.]|\s*(?:半?小时|分钟|次|剂|付|帖|天|日|周|月|年|岁|元|%))")
_NOTE = re.compile(r"\([^()]*\)")
_HANDLING = re.compile("(?:先煎|后下|包煎|布包|烊化|另煎|冲服|兑服|吞服|研末|打碎|捣碎|适量|少许|各)+$")
_RELATIVE = re.compile(
    r"\W{0,3}(?:中药|予|续予|继服|继用|仍用|续用|守|同)?(?:上方|原方|前方|守方|效不更方|同前|上药|前药)"
)


@dataclass(frozen=True)
class PrescriptionCell:
    """One prescription of a record, as written and as read.

    Args:
        line, id: of the record.
        text: as written.
        answer: what was read: herbs, packets, usage, perhaps a formula that stands before the herbs.
        unread: pieces that the reader hands back, doses that it had to guess, and names among dosed herbs that have no
            dose and no table knows.
        pieces: doses and known herb names that the text holds.
        lost: those of them that are not among the herbs read.
    """

    line: int
    id: str
    text: str
    answer: Answer
    unread: tuple[str, ...]
    pieces: int
    lost: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether everything was read."""
        return not self.unread and not self.lost


def read_cell(line: int, id: str, value: Any, previous: Sequence[PrescriptionItem] = ()) -> PrescriptionCell | None:
    """Read a prescription and measure what was lost; None where there is none.

    Args:
        line, id: of the record.
        value: a text, a list of texts, or a list of ``{"herb", "dose_g", …}``.
        previous: the herbs of the patient's last visit, for a text that only says what changes.

    Raises:
        CellError: for a value that is neither.
    """
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        items = tuple(map(_item, value))
        return PrescriptionCell(line, id, write_items(items), Answer(prescription=items), (), len(items), ())
    if not (text := text_of("prescription", value)):
        return None
    read, everything, relative = _read(text, previous)
    items = read.answer.prescription
    doubtful = [item.herb for item in items if item.dose is None and resolve_herb(item.herb) is None]
    if len(doubtful) == len(items):  # 针刺治疗: words, but no herb that anybody knows and no dose
        read, items, doubtful = answers.ParsedAnswer(Answer(), (text,)), (), []
    elif all(item.dose is None for item in items):
        doubtful = []  # a list of names without doses may hold one that the tables lack
    pieces, lost = (1, ()) if relative and items else measure(text, everything)
    if not items:
        pieces, lost = max(1, pieces), lost or (text[:60],)
    return PrescriptionCell(line, id, text, read.answer, (*read.unread, *doubtful), pieces, lost)


def _read(
    text: str, previous: Sequence[PrescriptionItem]
) -> tuple[answers.ParsedAnswer, tuple[PrescriptionItem, ...], bool]:
    """What the grammar makes of a text: THE place where the previous visit's herbs reach it.

    Returns:
        The answer with what was not read (a change whose previous prescription is not known is not read at all); the
        herbs of all prescriptions in the text (a wash beside a decoction is read, though the answer has no place for
        it); whether the text is a change of the previous prescription.
    """
    labelled = answers.parse(f"处方：{text}")
    found = read_prescriptions(text, previous or None)
    everything = tuple(item for one in found for item in one.items)
    if not (_RELATIVE.match(text) or read_prescription(text).relative):
        guesses = _guesses(read_prescription(text))
        labelled = replace(labelled, unread=(*labelled.unread, *guesses))
        return labelled, everything or labelled.answer.prescription, False
    one = read_prescription(text, previous or None)
    if one.relative:
        return answers.ParsedAnswer(Answer(), (text,)), (), True
    answer = Answer(prescription=one.items, packets=one.packets, usage=one.usage)
    return answers.ParsedAnswer(answer, (*one.unread, *_guesses(one))), one.items, True


def _guesses(read: ReadPrescription) -> tuple[str, ...]:
    """What had to be guessed about a herb, in words; that a table lacks its name is said elsewhere."""
    return tuple(
        f"{item.herb}{item.dose:g}{item.unit}: {guess}"
        for item, guess in zip(read.items, read.guesses, strict=True)
        if guess and item.dose is not None
    )


def _item(part: dict) -> PrescriptionItem:
    values = dict(part)
    if "dose_g" in values:
        values["dose"] = values.pop("dose_g")
    try:
        return PrescriptionItem.model_validate(values)
    except ValidationError as error:
        fix = 'write {"herb": "柴胡", "dose_g": 10}'
        raise CellError("prescription", "a herb that is none", f"{explain(error)[:120]}; {fix}") from None


def measure(text: str, items: Sequence[PrescriptionItem]) -> tuple[int, tuple[str, ...]]:
    """Count the doses and known herb names of a text, and name those that are not among the items.

    Returns:
        How many there are, and the lost ones as written.

    Source:
        Our choice: numbers before a unit of weight or count, after a name without a unit, or after a herb that
        `resolve_herb` knows whatever follows; and the known herb names outside brackets. Amounts of water, times and
        single servings (每次3g) are none of these.
    """
    half = re.sub(r"(?<!\d)0,(?=\d)", "0.", text.translate(HALF_WIDTH).lower())  # a decimal comma
    read = Counter(_rounded(n) for item in items for n in (item.dose, item.dose_high) if n is not None)
    pieces, lost = 0, []
    for number, unit, written in _doses(half):
        pieces += 1
        values = (_rounded(number), _rounded(number * GRAMS.get(unit, 1.0)))
        match = next((v for v in values if read[v] > 0), None)
        if match is None:
            lost.append(written)
        else:
            read[match] -= 1
    in_words = len(_HAN_DOSE.findall(half))
    pieces += in_words
    lost += ["a dose in words"] * max(0, in_words - sum(read.values()))
    bases = {name.base for item in items if (name := resolve_herb(item.herb))}
    for run in re.findall(_HAN, _DOSE.sub(" ", _NOTE.sub(" ", half))):
        if name := resolve_herb(_HANDLING.sub("", run)):
            pieces += 1
            lost += [] if name.base in bases else [run]
    return pieces, tuple(lost)


def _doses(half: str) -> Iterator[tuple[float, str, str]]:
    """Number, unit and text of each dose in digits."""
    seen = set()
    for found in _DOSE.finditer(half):
        # a number that stands alone counts something else
        if found[3] or re.search(r"[\u4e00-\u9fff)]\s*$", half[: found.start()]):
            seen.add(found.start(1))
            yield from ((float(n), found[3], found.group().strip()) for n in found.groups()[:2] if n)
    for found in _AFTER_NAME.finditer(half):
        if found.start(2) not in seen and resolve_herb(_HANDLING.sub("", found[1])):
            yield float(found[2]), "", half[found.start() : found.end() + 1].strip()


def _rounded(number: float) -> float:
    return round(number, 4)
