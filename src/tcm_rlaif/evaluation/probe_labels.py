"""What a probe asks of a hidden state: labels of cases, from their answers, their findings and the pattern tables.

No table has a column for cold and heat or for deficiency and excess. They are read from the words of the syndrome by
the rules of this module: from the pattern's name, pathogenesis and principle where the tables hold the pattern, else
from the words of the answer itself.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tcm.cases import Answer, Case
from tcm.knowledge.matching import age_group, answered

COLD = re.compile("寒|冷|阳虚|阳衰|阳气虚")
HEAT = re.compile("热|火|暑|温毒|阴虚|阳亢")
COLD_TREATED = re.compile("散寒|祛寒|温中|温经|温阳|温肾|温肺|温补|温通|温化|回阳")
HEAT_TREATED = re.compile("清|泻火|泄热|凉血|滋阴|降火|解毒")
DEFICIENCY = re.compile("虚|亏|不足|弱|衰|脱|损|伤|耗|不固|失养|不摄")
EXCESS = re.compile("实|滞|瘀|湿|痰|饮|热|火|暑|毒|风|寒|燥|郁|积|食|水|结|阻|闭")
OF_DEFICIENCY = re.compile("虚[寒热火风]|[阴阳气血]虚(?:火旺|内热|内寒|生寒|发热|阳亢|动风|风动)")
"""Cold, heat and wind that come of deficiency are no excess."""
DEFICIENCY_TREATED = re.compile("补|益|养|滋|固|敛|健脾")
EXCESS_TREATED = re.compile("清|泻|泄|祛|化|散|疏|活血|通|利|消|解|攻|逐|理气|行气|平肝|息风")
BODY = (("dark", "[紫黯暗瘀]"), ("light red", "淡红"), ("red", "[红绛]"), ("pale", "[淡白]"))
"""Colours of the tongue's body, the first that is written."""
COAT = re.compile("[^，。；、,;舌]*苔[^，。；,;舌]*")


def _two(text: str, treated: str, signs: Sequence[re.Pattern], treatments: Sequence[re.Pattern]) -> tuple[bool, bool]:
    """Whether a text names each of two opposites; where it names neither, what the treatment goes against."""
    named = tuple(bool(sign.search(text)) for sign in signs)
    return named if any(named) else tuple(bool(treatment.search(treated)) for treatment in treatments)


def _said(pair: tuple[bool, bool], first: str, second: str) -> str:
    return {(True, False): first, (False, True): second, (True, True): "both", (False, False): "neither"}[pair]


def cold_heat(syndrome: str, treated: str) -> str:
    """``cold``, ``heat``, ``both`` or ``neither``.

    Args:
        syndrome: its name.
        treated: pathogenesis and treatment principle; read where the name says neither.

    Source:
        中医诊断学, 八纲辨证 (阳虚则外寒, 阴虚则内热); the lists of words are our choice.
    """
    return _said(_two(syndrome, treated, (COLD, HEAT), (COLD_TREATED, HEAT_TREATED)), "cold", "heat")


def deficiency_excess(syndrome: str, treated: str) -> str:
    """``deficiency``, ``excess``, ``both`` or ``neither``; arguments and source as `cold_heat`."""
    plain = OF_DEFICIENCY.sub("虚", syndrome)
    found = _two(plain, treated, (DEFICIENCY, EXCESS), (DEFICIENCY_TREATED, EXCESS_TREATED))
    return _said(found, "deficiency", "excess")


def tongue(text: str) -> str | None:
    """The colour of the tongue's body: ``dark``, ``red``, ``light red``, ``pale``; None where none is written."""
    body = COAT.sub("", text)
    return next((name for name, colour in BODY if re.search(colour, body)), None)


def dose_known(case: Case) -> str:
    """Whether the prompt tells doses: ``yes`` at a follow-up whose previous prescription has them, else ``no``.

    A state can know no other doses of the record than those it has read; what the answer's doses will be is no label.
    """
    before = case.previous_answer
    return "yes" if before and before.prescription and all(item.dose for item in before.prescription) else "no"


def labels(case: Case) -> dict[str, str | None]:
    """The labels of one case; None where the case does not tell.

    Args:
        case: with its gold answer.

    Returns:
        `disease` and `syndrome` (the tables' names where they hold the pattern, else as written), `tongue`,
        `cold or heat`, `deficiency or excess`, `dose known`.
    """
    answer = case.answer or Answer()
    found = answered(answer.disease, answer.syndrome, case.patient.sex, age_group(case.patient.age))
    disease, syndrome, treated = answer.disease, answer.syndrome, answer.treatment_principle
    if found.alike == 1 and found.patterns:
        pattern = found.patterns[0]
        disease = pattern.disease if found.together else disease
        syndrome, treated = pattern.syndrome, pattern.pathogenesis + pattern.treatment_principle
    return {
        "disease": disease or None,
        "syndrome": syndrome or None,
        "tongue": tongue(case.visit.tongue),
        "cold or heat": cold_heat(syndrome, treated) if syndrome else None,
        "deficiency or excess": deficiency_excess(syndrome, treated) if syndrome else None,
        "dose known": dose_known(case),
    }


def usable(values: Sequence[str | None], smallest: int) -> np.ndarray:
    """Places of the cases that a probe may use: those whose label at least so many cases have.

    Returns:
        Places in rising order; none where fewer than two classes are left, since nothing could be told apart.
    """
    counts = Counter(value for value in values if value is not None)
    kept = {value for value, number in counts.items() if number >= smallest}
    return np.array([i for i, value in enumerate(values) if value in kept] if len(kept) > 1 else [], dtype=int)
