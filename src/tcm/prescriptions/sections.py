"""Where one text holds several prescriptions: 内服 and 外洗, 方一 and 方二, ① and ②."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tcm.prescriptions.tokens import NUMBER, UNIT

EXTERNAL = re.compile("外[洗用敷涂搽治熏]|熏洗|坐浴|泡[脚洗]|足浴|湿敷|灌肠|含漱|漱口")
_LABEL = re.compile(
    r"(?:(?<=[\n。;,.\s])|^)[\s①-⑩(]{0,4}(?:[0-9一二三四]{1,2}[)、.:]{1,2})?\s{0,3}"
    r"(?:(?P<external>(?:外[洗用敷涂搽治熏]|熏洗|坐浴|泡[脚洗]|足浴|湿敷|灌肠|含漱|漱口)(?:方药?|药物?|处方|剂)?)"
    r"|(?P<internal>(?:内服|口服)(?:方药?|中?药|处方|汤剂)?|[汤煎散丸膏]剂|膏方)"
    r"|(?:处方|方|方剂)\s?[一二三四1-4甲乙]|第?[一二三四]方|[1-4]号方|[早晚日夜]方|第[一二三四]周)[)\s]{0,3}:"
    r"|(?:(?<=\n)|^)\s{0,3}处?方\s?[一二三四1-4甲乙](?=\s)"
    r"|(?:(?<=[\n。;])|^)\s{0,3}(?P<other>另[外予取用]?\s?[:,]?)"
)
_MAY_PART = re.compile("[:另方]")
_CIRCLED = re.compile("[①-⑩]")
_DOSE = re.compile(rf"{NUMBER}\s?{UNIT}")


@dataclass(frozen=True)
class Section:
    """One prescription of a text: where it stands, and whether its label says that it is for external use."""

    start: int
    end: int
    external: bool


def sections(half: str) -> Iterator[Section]:
    """The prescriptions of a text; the whole text where it holds one.

    另 (besides) begins a prescription only where what follows is for external use, ① only where each number has several
    herbs with doses.
    """
    marks = [(0, 0, False)]
    labels = list(_LABEL.finditer(half)) if _MAY_PART.search(half) else []
    for at, match in enumerate(labels):
        end = labels[at + 1].start() if at + 1 < len(labels) else len(half)
        if match["other"] is None or EXTERNAL.search(half, match.end(), end):
            marks.append((match.start(), match.end(), bool(match["external"] or match["other"])))
    circled = list(_CIRCLED.finditer(half))
    if len(marks) == 1 and len(circled) > 1:
        ends = [*(match.start() for match in circled[1:]), len(half)]
        if all(len(_DOSE.findall(half, m.end(), end)) > 1 for m, end in zip(circled, ends, strict=True)):
            marks += [(match.start(), match.end(), False) for match in circled]
    if len(marks) > 1 and not _DOSE.search(half, 0, marks[1][0]):
        marks[:2] = [(0, marks[1][1], marks[1][2])]  # what stands before the first label is no prescription
    for (_, start, external), (end, _, _) in pairwise([*marks, (len(half), len(half), False)]):
        yield Section(start, end, external)
