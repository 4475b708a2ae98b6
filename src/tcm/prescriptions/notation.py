"""Read the text of a prescription (处方): herbs with doses, then the number of packets and the usage.

The grammar, in which ``|`` parts choices, ``?`` marks what may be missing and ``*`` what may be repeated::

    text          = section*                              内服：… 外洗方：… 方一：… ①… are prescriptions of their own
    section       = previous? (piece separator)* tail     previous: 上方 原方 守方 …, then it is a change (`changes`)
                                                          advice for other cases (若便秘，加大黄6g) is cut out before
    piece         = words? item* | handling | packets | usage
    item          = name each? dose note* | dose name note* | name note*
    name          = herb | joint name | herb (和|或) herb   known names may also stand together without a sign
    dose          = number range? unit? | Han numeral unit | bracketed dose | number that OCR spoilt
    note          = bracket | handling                    before or after the dose: 先煎, 分两次冲服, 先煎1小时;
                                                          with a colon of all herbs of its sentence (先煎：龙骨30g，…)
    each          = 各 | 均                               the dose belongs to all herbs before that have none
    tail          = packets? usage?                       7剂，水煎服, after the last herb with a dose

A dose always wins: text with a dose of a herb is never usage. Units stay as written (3钱, 5枚; 克 公克 公分 are g, and
`knowledge.GRAMS` converts); without a unit a number is g. Prices, codes and list numbers are passed over. The reader
raises on no text, its time grows linearly, and it never makes up a herb: what it cannot read is in `unread`, and a herb
or dose that it had to guess is marked in `guesses`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tcm.cases import PrescriptionItem
from tcm.prescriptions.changes import ChangeReader, changed, is_change, signs_as_verbs, start_of_change
from tcm.prescriptions.drafts import OUT_OF_REASON
from tcm.prescriptions.items import ItemReader
from tcm.prescriptions.sections import is_outside, sections
from tcm.prescriptions.tokens import HALF_WIDTH, HAN, NAMED_DOSE, NUMBER, UNIT, Token, plain, tokens
from tcm.prescriptions.usage import (
    DOSES,
    EDGE,
    PACKETS_SAID,
    USES,
    WEIGHTS,
    has_herb,
    loose_doses,
    read_usage,
    tail_start,
)
from tcm.prescriptions.words import beginnings, herb_like
from tcm.prescriptions.writing import write_dose, write_items

_LINK = rf"[{HAN})][):\s]{{0,3}}"
_DOSED = re.compile(
    rf"{_LINK}{NUMBER}\s{{0,3}}(?:[-~至到]\s{{0,3}}{NUMBER}\s{{0,3}})?(?!(?i:ml)|毫升)(?:{UNIT}|$)"
    rf"|(?<![0-9]){NUMBER}\s?[gG克钱]\s?[{HAN}]{{2}}"
    rf"|[{HAN}]{{2}}\s?[一二三四五六七八九十两半]{{1,3}}(?:克|钱|两|分(?!钟|之|[一二三四五六七八九十两次服])|枚)"
)
_PASSED_OVER = frozenset({"aside", "rest"})
_SIGNS = re.compile(r"[\W_]+")
_LIST_NUMBER = re.compile("(?:[0-9]{1,2}|[一二三四五六七八九十]{1,2}|[①-⑳])?")
_LISTED = re.compile(rf"(?:^|(?<=[\s;。,]))([0-9]{{1,2}})[、.)](?=\s?[{HAN}])")
_CELL_AMOUNT = r"[0-9]{1,3}(?:\.[0-9]{1,2})?\s?[g克]?\s?"
_DOSE_CELL = re.compile(rf"(?<=[{HAN})])(?:[|\t](?={_CELL_AMOUNT}(?:[|\t\n]|$))|,(?=\s?{_CELL_AMOUNT}(?:[,;。\n]|$)))")
_UNIT_CELL = re.compile(r"(?<=[0-9])[,|\t](?=(?:[gG]|克)(?:[,|\t;。\n]|$))")
_COUNTABLE = re.compile(rf"(?<![0-9.]){NUMBER}(?![0-9.]|\s?[剂付帖副天日次])")
_DASHES = re.compile("[-·…]|[.]{2}")
_BRACKETED = re.compile(r"\(([^()]{2,2000})\)")
_ADVICE = re.compile(r"(?<=[\n。;])\s{0,9}(?:随[症证])?加减(?:法|运用)?\s?:")
_CONDITION = re.compile(
    rf"(?<=[\n。;,])\s{{0,9}}(?:若(?!干)|如(?![上下前法图意])|倘|假如|或见|[兼伴]有?|[{HAN}]{{1,10}}者,?\s?[加去减]"
    r"|(?:可|酌情)(?:酌情?|适当|考虑)?加)[^。;\n]{1,200}"
)
_CHANGE = re.compile(rf"[加去减用](?:[入用服]|大(?!黄|枣|[腹青血蓟豆]))?(?P<name>[{HAN}]{{2,8}})")
_FORMER = re.compile(r"\s{0,9}[守续予]?[上前原首]方")
_LABEL = re.compile(r"(?<=[\n。;\s])\s?(?:处方|方药|用药|药物组成|处方用药)\s?:")
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.I | re.S)


@dataclass(frozen=True)
class ReadPrescription:
    """What a prescription text says, and what of it could not be read.

    Args:
        items: the herbs as written, in their order.
        packets: number of packets (剂), None where none is said.
        unread: pieces of the text that could not be read.
        guesses: for each herb what had to be guessed about it, "" where nothing had.
        relative: whether it is a change of a previous prescription that was not given, so herbs are missing.
        use: ``internal`` or ``external``.
    """

    items: tuple[PrescriptionItem, ...]
    packets: int | None
    usage: str
    unread: tuple[str, ...]
    guesses: tuple[str, ...] = ()
    relative: bool = False
    use: str = "internal"


def ignorable(text: str) -> bool:
    """Whether a leftover piece carries nothing: punctuation and list numbers only."""
    return not text or _LIST_NUMBER.fullmatch(_SIGNS.sub("", text)) is not None


def has_doses(text: str) -> bool:
    """Whether a text holds a herb with a dose."""
    return _DOSED.search(text.translate(HALF_WIDTH)) is not None


def changes_previous(text: str) -> bool:
    """Whether a text begins as a change of the prescription before (守上方，去柴胡)."""
    return start_of_change(plain(text))[1] > 0


def read_prescription(text: str, previous: str | Sequence[PrescriptionItem] | None = None) -> ReadPrescription:
    """Read herbs, doses, packets and usage from the text of one prescription; raises on no text.

    Of several prescriptions in the text the first for internal use is read, the others are named as unread.

    Args:
        text: any text.
        previous: the prescription that the text may change (上方加…), as text or as herbs.
    """
    read = read_prescriptions(text, previous)
    if len(read) == 1:
        return read[0]
    chosen = next((one for one in read if one.use == "internal" and one.items), read[0])
    others = [write_items(one.items) for one in read if one is not chosen]
    return replace(chosen, unread=(*chosen.unread, *(text for text in others if text)))


def read_prescriptions(
    text: str, previous: str | Sequence[PrescriptionItem] | None = None
) -> tuple[ReadPrescription, ...]:
    """Read every prescription of a text (内服, 外洗, 方一 …), at least one, which may be empty; raises on no text."""
    half = _cells(_without_list_numbers(_links(text, plain(text))))
    half, aside = _without_thoughts(text, _unwrapped(half))
    text, half, advice = _without_advice(text, half)
    if ":" in half and (label := _LABEL.search(half)) and not NAMED_DOSE.search(half, 0, label.start()):
        aside.append(text[: label.start()].strip())  # what stands before 处方： is no prescription
        half = "\n" * label.start() + half[label.start() :]
    if isinstance(previous, str):
        previous = read_prescription(previous).items
    found = []
    for section in sections(half):
        part, plain_part = text[section.start : section.end], half[section.start : section.end]
        before = found[-1].items if section.visit and found else previous
        read = _read(part, plain_part, before) if before else _read_alone(part, plain_part)
        if section.external or is_outside(read.usage):
            guesses = tuple("" if guess.startswith(OUT_OF_REASON) else guess for guess in read.guesses)
            read = replace(read, use="external", guesses=guesses)  # the usual doses are for internal use
        found.append(read)
    if aside or advice:
        unread = (*(piece for piece in aside if not ignorable(piece)), *found[0].unread, *advice)
        found[0] = replace(found[0], unread=unread)
    return tuple(found)


@lru_cache(maxsize=256)  # a text is read as an answer, and again for what the answer has no place for
def _read_alone(text: str, half: str) -> ReadPrescription:
    return _read(text, half, None)


def _unwrapped(half: str) -> str:
    """Brackets round whole prescriptions, 饮片（党参15g，黄芪30g）, or packets, （7剂）, made separators."""
    for match in _BRACKETED.finditer(half) if "(" in half else ():
        if len(NAMED_DOSE.findall(match[1])) > 1 or PACKETS_SAID.match(match[1]):
            half = f"{half[: match.start()]},{match[1]},{half[match.end() :]}"
    return half


def _without_advice(text: str, half: str) -> tuple[str, str, list[str]]:
    """A text without what to add or leave out in other cases, and that: it is no prescription.

    All after 加减：, and sentences on a condition (若便秘，加大黄6g; 纳差者加焦三仙; 可酌加远志) behind a prescription.
    """
    advice = []
    match = _ADVICE.search(half) if "加减" in half else None
    if match and NAMED_DOSE.search(half, 0, match.start()):
        half, advice = half[: match.start()], [text[match.start() :].strip()]
    first = min((m.end() for m in (NAMED_DOSE.search(half), _FORMER.match(half)) if m), default=len(half))
    for match in _CONDITION.finditer(half, first):
        verb = next((v for v in _CHANGE.finditer(match.group()) if any(map(herb_like, beginnings(v["name"])))), None)
        if verb and not NAMED_DOSE.search(match.group()[: verb.start()]):
            advice.append(text[match.start() : match.end()].strip())
            blank = "\n" * len(match.group())
            half, text = (whole[: match.start()] + blank + whole[match.end() :] for whole in (half, text))
    return text, half, advice


def _without_thoughts(text: str, half: str) -> tuple[str, list[str]]:
    """A text whose <think> parts are blanked out, and these; one that is not closed goes on to the end."""
    thoughts = list(_THOUGHTS.finditer(half)) if "<" in half else []
    for match in thoughts:
        half = half[: match.start()] + "\n" * len(match.group()) + half[match.end() :]
    return half, [text[match.start() : match.end()] for match in thoughts]


def _links(text: str, half: str) -> str:
    """Dashes between a name and its dose (葛根——15g) made blanks; a single - stays where only some doses have one."""
    if not _DASHES.search(half):
        return half
    tight = [m.start(1) for m in re.finditer(rf"[{HAN})](-)(?=[0-9])", half)]
    minus = [at for at in tight if text[at] in "-−－"]
    if len(minus) > 1 and len(minus) == len(re.findall(rf"(?<![0-9.~]){NUMBER}\s?{UNIT}", half)):
        minus = []
    for at in (at for at in tight if at not in minus):
        half = f"{half[:at]} {half[at + 1 :]}"
    return re.sub(rf"(?<=[{HAN})])(?:\s?[-·….]{{2,12}}|\s-)\s?(?=[0-9])", lambda m: " " * len(m.group()), half)


def _cells(half: str) -> str:
    """Signs between the cells of a table made blanks: 黄芪|30|g, and 黄芪,30;当归,10 where all numbers stand so."""
    half = _UNIT_CELL.sub(" ", half)
    found = list(_DOSE_CELL.finditer(half))
    commas = [match for match in found if match.group() == ","]
    if len(commas) < max(2, len(_COUNTABLE.findall(half))):
        found = [match for match in found if match not in commas]
    for match in found:
        half = f"{half[: match.start()]} {half[match.end() :]}"
    return half


def _without_list_numbers(half: str) -> str:
    """The numbers of a list (1、黄芪 2、当归) made blanks, so that none is taken for the dose of the name before it."""
    found = list(_LISTED.finditer(half))
    if len(found) < 2 or [int(match[1]) for match in found] != list(range(1, len(found) + 1)):
        return half
    for match in found:
        half = half[: match.start(1)] + ";" + " " * (match.end() - match.start(1) - 1) + half[match.end() :]
    return half


def _read(text: str, half: str, previous: Sequence[PrescriptionItem] | None) -> ReadPrescription:
    """Read one prescription, which may be a change of the previous one."""
    start, change, freely = start_of_change(half)
    relative = bool(change) or is_change(half)
    if change:
        half = half[:change] + signs_as_verbs(half[change:])
    words = tokens(text[change:], half[change:], relative)
    listed = freely or half[:change].rstrip().endswith(":")  # 加减：…, 初诊方：… and then all of it
    whole = listed and sum(word.kind in DOSES for word in words) >= 3 and not any(w.kind == "verb" for w in words)
    if whole:
        relative = False
    reader, packets, usage = _read_words(words, text[change:], ChangeReader if relative else ItemReader)
    unread = reader.unread
    if not relative:
        items = [(draft.item(), draft.guess) for draft in reader.drafts]
    elif not previous:
        items = [(draft.item(), draft.guess) for draft in reader.drafts if not draft.taken_out]
        taken = [f"去{draft.herb}{write_dose(draft.item())}" for draft in reader.drafts if draft.taken_out]
        unread = [text[:change].strip(EDGE), *taken, *unread]
    else:
        items, failed = changed(previous, reader.drafts)
        before = text[:start].strip(EDGE) if start > 4 else ""  # more than 处方： or 二诊：
        how = text[start:change].strip(EDGE) if freely and not reader.drafts else ""
        unread = [before, how, *failed, *unread]
    return ReadPrescription(
        tuple(item for item, _ in items),
        packets,
        usage,
        tuple(piece for piece in unread if not ignorable(piece)),
        tuple(guess for _, guess in items),
        relative and not previous,
    )


def _read_words(words: Sequence[Token], text: str, kind: type[ItemReader]) -> tuple[ItemReader, int | None, str]:
    """Read the words of one prescription: herbs, packets and usage."""
    words = [word for word in words if word.kind not in _PASSED_OVER]
    tail = tail_start(words)
    uses = any(word.kind in USES for word in words[:tail])
    units = any(word.kind == "dose" and (word.match["unit"] or "").lower() in WEIGHTS for word in words)
    reader, between, prose, start = kind(units), [], False, 0
    for end in (*(at for at in range(tail) if words[at].kind == "sep"), tail):
        piece, start = words[start:end], end + 1
        if not piece:
            pass
        elif uses and any(word.kind in USES for word in piece) and not has_herb(piece):
            between.append("".join(word.raw for word in piece).strip())
        else:
            reader.piece(piece, prose)
        if end < tail and words[end].half in ";。.\n":
            reader.under = ""
        prose = prose or (bool(reader.drafts) and end < tail and words[end].half in "。.")
    reader.settle()
    between += [word.raw for word in reader.uses]
    end = text[words[tail].start :] if tail < len(words) else ""
    packets, usage, rest = read_usage(end)
    said = bool(usage)
    for piece in between:
        more, how, _ = read_usage(piece)
        if (more and packets) or (how and said):
            reader.unread.append(piece)  # the end of the text says it again, or otherwise
            continue
        packets = packets or more
        usage = "，".join(part for part in (usage, how) if part)
    reader.unread += [rest, *loose_doses(words[tail:])]
    return reader, packets, usage
