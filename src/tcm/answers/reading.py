"""Read a model's free text into a typed answer, and write an answer in the study's layout.

``中医诊断：不寐。证型：肝郁脾虚。治法：疏肝健脾。方剂：归脾汤加减。处方：柴胡10g，龙骨30g（先煎），大枣5枚。7剂，水煎服。``

The layout is that of arXiv 2411.00897 with 证型 added. `parse(write(answer)).answer == answer` holds where text fields
hold no 。, no line break, no field label with a colon and no punctuation at their ends, a formula no herb with a dose,
a usage (where 。 is fine) no number of packets at its ends, and herbs are names of at most 12 Han characters that end
in no dose, handling word or 各, with doses from 1e-9 to 1e9 and notes of at most 60 characters without brackets.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tcm.answers.labels import LABELS, PACKETS, sections
from tcm.answers.layouts import plain
from tcm.answers.remarks import without_remarks
from tcm.answers.thoughts import without_thoughts
from tcm.cases import Answer, Case, PrescriptionItem
from tcm.knowledge import resolve_herb
from tcm.prescriptions.notation import changes_previous, has_doses, ignorable, read_prescription
from tcm.prescriptions.tokens import HANDLED
from tcm.prescriptions.usage import read_usage
from tcm.prescriptions.writing import write_changes, write_items

MAX_CHARS = 20_000
"""Text beyond this is not read, and reported; a full answer has 300 characters."""

REQUIRED = ("disease", "syndrome", "treatment_principle", "formula", "prescription")

_EDGE = " \t\r\n。；;，,、.：:*#_`【】[](（\"“”'{}|-—~>"
_VALUE_END = re.compile("[。\n]")
_HEAD = re.compile(r"[^，,：:。\n(（]{0,40}")
_LIST_NUMBER = re.compile(r"[；;，,。\s][（(]?[0-9]{1,2}[)）]?$")
_LEADING_FORMULA = re.compile(
    r"\s{0,9}([^0-9，,、；;。：:\n(（]{1,24}?(?:(?:加减|加味|化裁)(?:[\s*]{0,3}[：:。\n]|[\s，,]{0,3}(?=[\u4e00-\u9fff]))"
    r"|(?:[汤散丸饮煎丹膏方剂]|加减|加味|化裁)[\s*]{0,3}[：:。\n]|[汤散丸饮][ \t，,]{1,3}(?=[\u4e00-\u9fff])))"
)

_INGREDIENT = re.compile(r"(?:六一|益元|鸡苏|碧玉|黛蛤)散[ \t，,]")
"""Powders that stand among the herbs of a decoction, in a bag, rather than above them."""


@dataclass(frozen=True)
class ParsedAnswer:
    """An answer as read.

    Args:
        answer: the fields; a missing one is empty.
        unread: pieces of text that could not be read, belong to no field or repeat one, in the order of the text.
        remarks: text that is understood and no part of the answer: thoughts, and what is said about a herb.
    """

    answer: Answer
    unread: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def _value(content: str) -> tuple[str, str]:
    """The value of a text field and what follows it: a value ends at the first 。 or line break."""
    content = content.strip(_EDGE)
    end = _VALUE_END.search(content)
    value, rest = (content[: end.start()], content[end.end() :]) if end else (content, "")
    return _LIST_NUMBER.sub("", value).rstrip(_EDGE), rest.strip(_EDGE)


def _split_formula(content: str) -> tuple[str, str]:
    """A field that opens with a formula and goes on with its herbs → (formula, herbs); else nothing and the content."""
    match = None if _INGREDIENT.match(content.lstrip()) else _LEADING_FORMULA.match(content)
    formula = match[1].strip(_EDGE) if match else ""
    herbs = content[match.end() :] if match and not changes_previous(content) else ""
    if (
        herbs
        and not (resolve_herb(formula) or HANDLED.fullmatch(formula))
        and any(item.dose for item in read_prescription(herbs).items)
    ):
        return formula, herbs
    return "", content


class _Fields:
    """Field values while they are read: the first that is not empty wins, all others are reported."""

    def __init__(self, previous: Sequence[PrescriptionItem]) -> None:
        self.previous = previous
        self.values: dict[str, object] = {}
        self.unread: list[str] = []
        self.remarks: list[str] = []

    def put(self, field: str, value: object, written: str) -> None:
        """Keep a value, or report the text where the field has one already."""
        if not value:
            return
        if field in self.values:
            self.unread.append(written.strip())
        else:
            self.values[field] = value

    def text(self, field: str, label: str, content: str) -> None:
        """A field that holds one text."""
        value, rest = _value(content)
        self.put(field, value, f"{label}：{value}")
        self.unread.append(rest)

    def formula(self, label: str, content: str) -> None:
        """A formula; many textbooks go on with its herbs in the same field (方药：归脾汤加减。黄芪15g …)."""
        head = _HEAD.match(content.strip(_EDGE)).group()
        if not has_doses(content):
            self.text("formula", label, content)
        elif has_doses(head) or changes_previous(content):
            self.prescription(label, content)
        else:
            self.put("formula", head.strip(_EDGE), f"{label}：{head}")
            self.prescription(label, content.strip(_EDGE)[len(head) :].lstrip("（(").rstrip("。）) \n"))

    def prescription(self, label: str, content: str) -> None:
        """Herbs, packets and usage, perhaps with the formula before them."""
        formula, content = _split_formula(content)
        content, remarks = without_remarks(content)
        read = read_prescription(content, self.previous)
        self.remarks += remarks
        if "prescription" in self.values and read.items:
            self.unread.append(f"{label}：{content.strip()}")
            return
        self.put("formula", formula, formula)
        self.put("prescription", read.items, "")
        self.put("packets", read.packets, f"{read.packets}剂")
        self.put("usage", read.usage, read.usage)
        self.unread.extend(read.unread)

    def usage(self, label: str, content: str) -> None:
        """Packets and usage; under one of `PACKETS` a number alone is that of the packets."""
        if label in PACKETS and content.strip(_EDGE).isdecimal():
            content = f"{content.strip(_EDGE)}剂"
        packets, usage, rest = read_usage(content)
        self.put("packets", packets, f"{packets}剂")
        self.put("usage", usage, usage)
        self.unread.append(rest)


def parse(text: str, previous: Sequence[PrescriptionItem] = ()) -> ParsedAnswer:
    """Read an answer from any text; never raises. Where the case is known, `read_for` knows the previous prescription.

    Fields may come in any order, under any of `LABELS` or their English names, in full- or half-width punctuation, as
    Markdown, table, list or object, and be missing. Of a field that occurs twice the first is kept. A text without any
    label is read as a prescription where it has doses. Thoughts are no answer: a thought that never ends leaves none.

    Args:
        previous: the prescription that the text may change (守上方，去柴胡); without it such words are unread.
    """
    rest, thoughts, unfinished = without_thoughts(text.encode("utf-8", "replace").decode("utf-8"))
    body, remarks, unread = plain(rest[:MAX_CHARS])

    def prescribes(content: str) -> bool:
        return has_doses(content) or (bool(previous) and changes_previous(content))

    fields = _Fields(previous)
    cut = sections(body)
    loose = len(cut) == 1 or (
        any(label == "#" for _, label, _ in cut)
        and not any(field in ("prescription", "formula") and prescribes(content) for field, _, content in cut)
    )
    for field, label, content in cut:
        if field == "formula":
            fields.formula(label, content)
        elif field == "prescription" or (loose and label in ("#", "") and prescribes(content)):
            fields.prescription(label, content)
        elif field == "usage":
            fields.usage(label, content)
        elif field:
            fields.text(field, label, content)
        else:
            fields.unread.append(f"{label}：{content.strip()}" if label.strip("#") else content.strip())
    left = (piece for piece in (*fields.unread, *unread, rest[MAX_CHARS:], unfinished) if not ignorable(piece))
    return ParsedAnswer(Answer(**fields.values), tuple(left), (*thoughts, *remarks, *fields.remarks))


def read_for(case: Case, text: str) -> ParsedAnswer:
    """Read an answer to a case: at a follow-up, 守上方 and what it changes mean the last visit's prescription."""
    return parse(text, previous_items(case))


def previous_items(case: Case) -> tuple[PrescriptionItem, ...]:
    """The prescription that an answer to the case may change; none at a first visit."""
    return case.previous_answer.prescription if case.previous_answer else ()


def write(answer: Answer, previous: Sequence[PrescriptionItem] = ()) -> str:
    """Write an answer in the layout of the study; missing fields are left out.

    Args:
        previous: the prescription before, where the answer is to be written as a change of it (守上方，去柴胡). It is
            written in full where fewer than half of its herbs are from there, and where the change would not be read
            back as the same herbs, doses and notes.
    """
    values = ((LABELS[name].split()[0], getattr(answer, name)) for name in REQUIRED[:4])
    written = "".join(f"{label}：{value}。" for label, value in values if value)
    end = "，".join(part for part in (f"{answer.packets}剂" if answer.packets else "", answer.usage) if part)
    if not answer.prescription:
        return written + (end and f"用法：{end}。")
    read = read_prescription(without_remarks(f"甘草6g。{end}。")[0])
    plainly = (len(read.items), read.packets, read.usage) == (1, answer.packets, answer.usage)
    end = end and (f"{end}。" if plainly else f"用法：{end}。")
    if 2 * sum(item.herb in answer.herbs for item in previous) >= len(answer.prescription):
        changed = f"{written}处方：{write_changes(previous, answer.prescription)}。{end}"
        if _unordered(parse(changed, previous)) == _unordered(ParsedAnswer(answer, ())):
            return changed
    return f"{written}处方：{write_items(answer.prescription)}。{end}"


def write_for(case: Case, followup_layout: Literal["changes", "full"]) -> str:
    """Write the answer of a case; at a follow-up as a change of the prescription before, or in full."""
    return write(case.answer, previous_items(case) if followup_layout == "changes" else ())


def _unordered(parsed: ParsedAnswer) -> tuple[object, ...]:
    """All that was read, the herbs in any order: a change leaves those that stay in their places."""
    items = sorted(map(repr, parsed.answer.prescription))
    return parsed.answer.model_copy(update={"prescription": ()}), items, parsed.unread, parsed.remarks


def missing_fields(answer: Answer) -> tuple[str, ...]:
    """Names of the five required fields that an answer lacks, in the order of the layout."""
    return tuple(name for name in REQUIRED if not getattr(answer, name))


def format_valid(text: str, previous: Sequence[PrescriptionItem] = (), parsed: ParsedAnswer | None = None) -> bool:
    """Whether a text keeps the layout that the study asks for.

    `parse` reads any layout, so that what a model knows is not mistaken for how it writes; this is the measure of how
    it writes, and strict: all five fields, each herb with a dose, nothing that could not be read, no remark and no
    markup. A thought before the answer does not count against it, and a change of the `previous` prescription is as
    good as one in full.

    Args:
        parsed: the text as it was read, where it was: reading is most of the work.
    """
    rest, _, unfinished = without_thoughts(text)
    if parsed is None or rest != text:
        parsed = parse(rest, previous)
    return (
        not (unfinished or parsed.unread or parsed.remarks or missing_fields(parsed.answer))
        and "".join(plain(rest)[0].split()) == "".join(rest.split())
        and all(item.dose is not None for item in parsed.answer.prescription)
    )
