"""Where one text holds several prescriptions: 内服 and 外洗, 方一 and 方二, ① and ②, 初诊 and 二诊."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tcm.prescriptions.tokens import HAN, NUMBER, UNIT

_OUTSIDE = "外[洗用敷涂搽治熏]|熏洗|坐浴|泡[脚洗]|足浴|湿敷|灌肠|含漱|漱口"
EXTERNAL = re.compile(_OUTSIDE)
_NOT_TAKEN = re.compile("(?:不[可能宜得]|忌|禁止?|[切请]勿)[内口]?服")
_TAKEN = re.compile("服|饮")
_ENDED = re.compile(rf"{_TAKEN.pattern}|[0-9一二三四五六七八九十]\s?[剂付帖]")
_OF_HERBS = "(?:中药|中草药|汤药|汤剂|中药汤剂|饮片)?"
_LABEL = re.compile(
    r"(?:(?<=[\n。;,.\s])|^)[\s①-⑩(]{0,4}(?:[0-9一二三四]{1,2}[)、.:]{1,2})?\s{0,3}"
    rf"(?:(?P<external>{_OF_HERBS}(?:{_OUTSIDE})(?:方药?|中?药物?|处方|剂)?)"
    rf"|(?P<internal>{_OF_HERBS}(?:内服|口服)(?:方药?|中?药|处方|汤剂)?|[汤煎散丸膏]剂|膏方)"
    r"|(?P<visit>[初一二三四五六七八九]诊(?:\([^()\n]{1,20}\))?)"
    r"|(?:处方|方|方剂)\s?[一二三四1-4甲乙]|第?[一二三四]方|[1-4]号方|[甲乙丙早晚日夜]方|[早晚]服|经[前后期]方?"
    r"|第[一二三四]周)[)\s]{0,3}:"
    r"|(?:(?<=\n)|^)\s{0,3}处?方\s?[一二三四1-4甲乙](?=\s)"
    rf"|(?<=[\n。;])\s{{0,3}}(?P<outside>外[洗敷搽])(?=[{HAN}]{{1,8}}\s?[0-9])"
    r"|(?:(?<=[\n。;])|^)\s{0,3}(?P<other>另[外予取用]?\s?[:,]?)"
    rf"|(?<=,)\s{{0,3}}(?P<besides>另[外予取用以]?\s?)(?=[{HAN}]{{1,8}}\s?[0-9][^。;\n]{{0,40}}(?:{_OUTSIDE}))"
)
_MAY_PART = re.compile("[:另方外]")
_SENTENCE = re.compile(r"[^\n。;]+")
_CIRCLED = re.compile("[①-⑩]")
_DOSE = re.compile(rf"{NUMBER}\s?{UNIT}")


@dataclass(frozen=True)
class Section:
    """One prescription of a text: where it stands, whether it is said to be for external use, and whether it is that of
    a visit, which may change the one before."""

    start: int
    end: int
    external: bool
    visit: bool = False


def sections(half: str) -> Iterator[Section]:
    """The prescriptions of a text; the whole text where it holds one.

    另 (besides) begins a prescription only where what follows is for external use, ① only where each number has several
    herbs with doses. A sentence with a herb for external use (艾叶30g煎水泡脚) is one of its own where what stands
    before is taken or has its packets: a foot bath does not make a decoction external.
    """
    marks = [(0, 0, False, False)]
    labels = list(_LABEL.finditer(half)) if _MAY_PART.search(half) else []
    for at, match in enumerate(labels):
        end = labels[at + 1].start() if at + 1 < len(labels) else len(half)
        if match["other"] is None or EXTERNAL.search(half, match.end(), end):
            outside = match["external"] or match["other"] or match["outside"] or match["besides"]
            marks.append((match.start(), match.end(), bool(outside), bool(match["visit"])))
    circled = list(_CIRCLED.finditer(half))
    if len(marks) == 1 and len(circled) > 1:
        ends = [*(match.start() for match in circled[1:]), len(half)]
        if all(len(_DOSE.findall(half, m.end(), end)) > 1 for m, end in zip(circled, ends, strict=True)):
            marks += [(match.start(), match.end(), False, False) for match in circled]
    if len(marks) == 1 and (bath := _bath(half)):
        marks.append((bath, bath, True, False))
    if len(marks) > 1 and not _DOSE.search(half, 0, marks[1][0]):
        marks[:2] = [(0, *marks[1][1:])]  # what stands before the first label is no prescription
    for (_, start, external, visit), (end, *_) in pairwise([*marks, (len(half), len(half), False, False)]):
        yield Section(start, end, external, visit)


def is_outside(usage: str) -> bool:
    """Whether a usage is for external use alone: it says so, and nothing is taken (不可内服 is not)."""
    return EXTERNAL.search(usage) is not None and not _TAKEN.search(_NOT_TAKEN.sub("", usage))


def _bath(half: str) -> int:
    """Where a sentence for external use with a herb of its own begins after a prescription that is taken; else 0."""
    dosed = ended = False  # what stands before the sentence
    for sentence in _SENTENCE.finditer(half) if EXTERNAL.search(half) else ():
        said = sentence.group()
        dose = _DOSE.search(said) is not None
        if dosed and ended and dose and is_outside(said):
            return sentence.start()
        dosed, ended = dosed or dose, ended or _ENDED.search(_NOT_TAKEN.sub("", said)) is not None
    return 0
