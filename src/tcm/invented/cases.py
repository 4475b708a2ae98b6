"""Invented cases, written from the knowledge tables: no patient stands behind any of them.

They let the whole study run without data and without network. They are meant to be hard: symptoms are said in other
words, some are left out, others belong to a rival pattern of the same disease, and prescriptions are modified (加减)
for what this patient has besides. They measure the method, never clinical quality.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from tcm import knowledge
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.evidence.revision import rule_share
from tcm.invented import textbook
from tcm.invented.physicians import Physician, attending, staff
from tcm.knowledge import Herb, Modification, Pattern
from tcm.prescriptions.safety import child_fraction

DURATIONS = ("3天", "1周", "10天", "半月", "1月", "3月", "半年", "1年", "2年", "反复发作3年")
AGES = {"小儿": (1, 13), "老年": (60, 82), "成人": (18, 65), "": (16, 75)}
SYNONYM_RATE = 0.5  # our choice: half of the findings in the patient's own words
NEWBORN_DISEASES = ("胎黄", "硬肿症")
PREGNANT_DISEASES = ("妊娠", "胎", "子肿", "子满", "滑胎")


class Findings(NamedTuple):
    """How much of a pattern a case shows, and how often something else is in the way; shares, our choice.

    Args:
        key: of the key symptoms that are told.
        other: of the other symptoms that are told.
        rival: of cases with a finding of a rival pattern of the same disease.
        stray: of cases with a finding of some other disease, one that does not matter.
    """

    key: float
    other: float
    rival: float
    stray: float


BOOKISH, OF_PRACTICE = Findings(0.8, 0.5, 0.5, 0.0), Findings(0.45, 0.3, 0.8, 0.9)


def invent_cases(number: int, follow_up_share: float, seed: int, patterns: int = 0, physicians: int = 0) -> list[Case]:
    """Invent cases; the same arguments give the same cases, and a larger number only appends further ones.

    Args:
        number: cases to write.
        follow_up_share: share of them that are follow-up visits (复诊).
        seed: of every random choice.
        patterns: edition of the textbook that cases are drawn from, see `textbook.edition`.
        physicians: so many physicians with habits write the answers, and findings are as incomplete and as mixed as in
            practice; 0 = answers by the book and clearer findings.

    Returns:
        Cases with source ``invented``, each of its own patient.
    """
    book = textbook.edition(patterns).patterns
    order = random.Random(f"patterns-{seed}")
    drawn: list[Pattern] = []
    while len(drawn) < number:  # every pattern once before any comes twice
        drawn += order.sample(book, len(book))
    hands, cases = staff(physicians, seed, patterns), []
    for i, pattern in enumerate(drawn[:number]):
        rng = random.Random(f"case-{seed}-{i}")
        physician = attending(hands, pattern.disease, rng).today(rng)
        pattern = physician.own(pattern)
        first = _first_visit(pattern, book, physician, OF_PRACTICE if physicians else BOOKISH, rng, f"invented-{i:05d}")
        cases.append(_follow_up(first, pattern, physician, rng) if rng.random() < follow_up_share else first)
    return cases


def _patient(pattern: Pattern, rng: random.Random) -> Patient:
    low, high = AGES[pattern.age_group]
    if pattern.department == "妇科":
        low, high = (45, 56) if "绝经" in pattern.disease else (18, 42)
    sex = pattern.sex or rng.choice("男女")
    pregnant = pattern.department == "妇科" and any(word in pattern.disease for word in PREGNANT_DISEASES)
    age = 0.04 if pattern.disease in NEWBORN_DISEASES else rng.randint(low, high)
    return Patient(sex=sex, age=age, pregnant=pregnant)


def _say(symptom: str, rng: random.Random) -> str:
    others = knowledge.symptom_synonyms().get(symptom, ())
    return rng.choice(others) if others and rng.random() < SYNONYM_RATE else symptom


def _some(items: Sequence[str], share: float, rng: random.Random, at_least: int = 1) -> list[str]:
    kept = [item for item in items if rng.random() < share]
    return kept if len(kept) >= at_least else list(items[:at_least])


def _signs(prefix: str, items: Sequence[str], rng: random.Random) -> str:
    kept = _some(items, 0.85, rng)
    return "，".join(kept) if prefix == "舌" else "脉" + "".join(item.removeprefix("脉") for item in kept)


def _first_visit(
    pattern: Pattern, book: Sequence[Pattern], physician: Physician, shares: Findings, rng: random.Random, name: str
) -> Case:
    patient = _patient(pattern, rng)
    key = _some(pattern.key_symptoms, shares.key, rng, at_least=2)
    rng.shuffle(key)
    complaint, rest = key[:2], key[2:] + _some(pattern.other_symptoms, shares.other, rng, at_least=0)
    rivals = [p for p in book if p.disease == pattern.disease and p.syndrome != pattern.syndrome]
    if rivals and rng.random() < shares.rival:
        rest.append(rng.choice(rng.choice(rivals).other_symptoms or rivals[0].key_symptoms))
    if shares.stray and rng.random() < shares.stray:
        rest.append(rng.choice(rng.choice(book).key_symptoms))
    modifications = rng.sample(pattern.modifications, min(len(pattern.modifications), rng.choice((0, 1, 1, 2))))
    rest += [m.symptom for m in modifications if m.symptom not in complaint]
    rng.shuffle(rest)
    visit = Visit(
        chief_complaint="，".join(_say(s, rng) for s in complaint) + rng.choice(DURATIONS),
        history="，".join(dict.fromkeys(_say(s, rng) for s in rest)),
        tongue=_signs("舌", pattern.tongue, rng),
        pulse=_signs("脉", pattern.pulse, rng),
    )
    formula = pattern.formulas[0] if rng.random() < 0.75 else rng.choice(pattern.formulas)
    fraction = child_fraction(patient.age)
    herbs = {herb: dose * fraction for herb, dose in physician.compose(formula).items()}
    for modification in modifications:
        herbs = _modify(herbs, modification, rule_share(pattern, patient.age))
    for addition in physician.additions([*complaint, *rest]):
        herbs = _modify(herbs, addition, fraction)
    changed = modifications or herbs.keys() != knowledge.compose(formula).keys()
    answer = Answer(
        disease=pattern.disease,
        syndrome=pattern.syndrome,
        treatment_principle=pattern.treatment_principle,
        formula=formula + ("加减" if changed else ""),
        prescription=_items(herbs, patient),
        packets=rng.choice((3, 5, 7, 7)),
        usage="水煎服",
    )
    return Case(id=name, source="invented", patient_id=name, patient=patient, visit=visit, answer=answer)


def _modify(herbs: dict[str, float], modification: Modification, share: float) -> dict[str, float]:
    """Apply one 加减 rule: remove, then add (a herb that is there already keeps the larger dose)."""
    kept = {herb: dose for herb, dose in herbs.items() if herb not in modification.remove}
    for herb, dose in modification.add:
        kept[herb] = max(dose * share, kept.get(herb, 0))
    return kept or herbs


def _items(herbs: dict[str, float], patient: Patient) -> tuple[PrescriptionItem, ...]:
    """Doses in the steps in which herbs are weighed; for a pregnant patient the forbidden herbs are left out."""
    items = []
    for herb, dose in herbs.items():
        known = knowledge.herb_info(herb)
        if patient.pregnant and known.pregnancy in ("禁用", "忌用"):
            continue
        items.append(PrescriptionItem(herb=herb, dose=_weighed(dose, known, patient), note=known.handling))
    return tuple(items)


def _weighed(dose: float, herb: Herb, patient: Patient) -> float:
    """A dose in whole grams, below 3 g in half grams, below 0.5 g as it is.

    It is not rounded up out of the herb's range, and for a child it never exceeds the child's share of the range.
    """
    fraction = child_fraction(patient.age)
    high = (herb.dose_max_g or dose) * fraction
    dose = min(dose, high) if fraction < 1 else dose
    step = 1 if dose >= 3 else 0.5
    if dose < step:
        return round(dose, 2)
    rounded = round(dose / step) * step
    return rounded - step if rounded > high >= dose and rounded > step else rounded


def _follow_up(first: Case, pattern: Pattern, physician: Physician, rng: random.Random) -> Case:
    """The next visit: some findings went, perhaps a new one came or the main one stayed; the answer is adjusted."""
    before = first.answer
    herbs = {item.herb: item.dose for item in before.prescription}
    used = [m for m in pattern.modifications if any(herb in herbs for herb, _ in m.add) and m.symptom]
    fresh = [m for m in pattern.modifications if not any(herb in herbs for herb, _ in m.add)]
    text, changes = [f"服上方{before.packets}剂"], 0
    better = rng.sample(pattern.key_symptoms, min(2, len(pattern.key_symptoms)))
    text.append("、".join(better) + rng.choice(("减轻", "好转", "明显缓解")))
    if used and rng.random() < 0.5:
        gone = rng.choice(used)
        text.append(f"{gone.symptom}已除")
        kept = physician.compose(pattern.formulas[0])
        herbs = {h: d for h, d in herbs.items() if h not in dict(gone.add) or h in kept}
        changes += 1
    if fresh and (not changes or rng.random() < 0.5):
        new = rng.choice(fresh)
        text.append(f"现{_say(new.symptom, rng)}")
        herbs = _modify(herbs, new, rule_share(pattern, first.patient.age))
        changes += 1
    staying = [s for s in pattern.key_symptoms if s not in better]
    unchanged = herbs == {item.herb: item.dose for item in before.prescription}
    if staying and (not changes or rng.random() < 0.4 or unchanged):
        text.append(f"{_say(rng.choice(staying), rng)}仍在")
        herbs = _strengthen(herbs, first.patient)
    items = _items(herbs, first.patient)
    visit = Visit(history="，".join(text), tongue=first.visit.tongue, pulse=_signs("脉", pattern.pulse, rng))
    answer = before.model_copy(update={"formula": before.formula.removesuffix("加减") + "加减", "prescription": items})
    earlier = (first.visit.model_copy(update={"answer": before}),)
    return first.model_copy(update={"visit": visit, "earlier_visits": earlier, "answer": answer})


def _strengthen(herbs: dict[str, float], patient: Patient) -> dict[str, float]:
    """Raise the first herb that its range allows by half: the complaint did not yield."""
    for herb, dose in herbs.items():
        high = knowledge.herb_info(herb).dose_max_g * child_fraction(patient.age)
        if dose * 1.5 <= high:
            return {**herbs, herb: dose * 1.5}
    return herbs
