"""A judge made of rules: it scores an answer against the tables and the patient, never against the gold answer.

Deterministic, free, offline. Each criterion is 0..1 and shown. It knows what the tables know: it can tell that an
answer contradicts itself, the patient or the pharmacopoeia; it cannot tell a good idea that no table holds.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from tcm.answers import read_for
from tcm.cases import Answer, Case, PrescriptionItem
from tcm.knowledge import Pattern, compose, dose_in_g, herb_info, resolve_formula, resolve_herb
from tcm.knowledge.matching import (
    Answered,
    age_group,
    answered,
    dice,
    disease_patterns,
    findings_text,
    fits,
    mentions,
)
from tcm.metrics.sets import herb_at, herb_set
from tcm.prescriptions.safety import audit, child_fraction
from tcm_rlaif.feedback.judges.base import JUDGED, Mode, Question, Record, Reply
from tcm_rlaif.study.schema import Params

WEIGHTS = {
    # Our choice. Half of the weight asks whether the answer is right (does the diagnosis explain the findings, do
    # treatment and herbs follow from it), because that is what a physician is asked for; safety weighs more than its
    # share of the text, because a harmful prescription must not win by being right otherwise.
    "coverage": 0.30,
    "coherence": 0.25,
    "safety": 0.15,
    "dose": 0.10,
    "format": 0.10,
    "repetition": 0.10,
    "continuity": 0.15,  # follow-up visits only; the total is divided by the sum of the weights that apply
}
LEFT_AFTER = {"high": 0.3, "medium": 0.7, "low": 0.95}  # what a safety finding leaves, by severity; our choice
UNKNOWN = 0.3  # credit of a name that the tables do not hold: more often wrong than right, but not shown to be wrong
KEPT = 0.5  # overlap with the previous prescription from which a follow-up counts as its continuation; our choice
UNCHANGED = 0.8  # credit of the previous prescription as it was: sometimes right, but the visit then changed nothing
RULE_SHARE = 0.25  # part of `coverage` for the modification rules (加减) that the findings call for


def from_params(P: Params, training_cases: Sequence[Case]) -> "RubricJudge":
    """The judge; no parameter concerns it."""
    return RubricJudge()


class RubricJudge:
    """The rubric as a judge of any mode; pairwise and listwise replies come from its scores."""

    name = "rubric"
    soft = False
    stored = replay_only = False

    def identity(self, mode: Mode) -> dict[str, str]:
        """No part of a reply depends on anything but the tables and the code; it is never stored."""
        return {}

    def description(self, question: Question) -> list[str]:
        """What it goes by: its criteria with their weights."""
        return ["rubric, weights: " + ", ".join(f"{name} {weight:g}" for name, weight in WEIGHTS.items())]

    def prepare(self, cases: Iterable[Case]) -> None:
        """Whatever is cheaper for many cases at once; the rubric has nothing of the kind."""

    def ask(self, questions: Sequence[Question], record: Record) -> None:
        """Score every text of every question, each once."""
        self.prepare(question.case for question in questions)
        known: dict[tuple[str, str], dict[str, float]] = {}
        for question in questions:
            rows = []
            for text in question.texts:
                if (question.case.id, text) not in known:
                    known[question.case.id, text] = self.criteria(question.case, text)
                rows.append(known[question.case.id, text])
            record(question, self._reply(question.mode, rows))

    def criteria(self, case: Case, text: str) -> dict[str, float]:
        """Score an answer text by every criterion that applies to the case; each 0..1, 1 is best.

        Coherence counts as far as the diagnosis explains the findings: what follows from a wrong one is no merit, and
        the flawless answer of another patient must not win (our choice).
        Herbs in another order give the same scores. Without a prescription, what is about the prescription is 0: an
        empty answer is not a safe one.
        """
        parsed = read_for(case, text)
        answer = parsed.answer
        explained = coverage(answer, case)
        found = {
            "coverage": explained,
            "coherence": explained * coherence(answer, case),
            "safety": safety(answer, case),
            "dose": dose(answer, case),
            "format": format_score(answer, text, parsed.unread, parsed.remarks),
            "repetition": repetition(answer, text),
        }
        if case.previous_answer is not None and case.previous_answer.prescription:
            found["continuity"] = continuity(answer, case)
        return {name: round(value, 6) for name, value in found.items()}

    def parts(self, row: dict[str, float]) -> dict[str, float]:
        """What each criterion adds to the score, 0..1: to the weighted mean of those that apply."""
        weight = sum(WEIGHTS[name] for name in row)
        return {name: WEIGHTS[name] * value / weight for name, value in row.items()}

    def total(self, row: dict[str, float]) -> float:
        """One score of the criteria, 0..1."""
        return round(sum(self.parts(row).values()), 6)

    def score(self, case: Case, text: str) -> float:
        """Score of one answer, 0..1."""
        return self.total(self.criteria(case, text))

    def _reply(self, mode: Mode, rows: list[dict[str, float]]) -> Reply:
        scores = [self.total(row) for row in rows]
        if mode == "pointwise":
            return Reply(JUDGED, (scores[0],), rows[0])
        if mode == "pairwise":
            return Reply(JUDGED, (0.5 if scores[0] == scores[1] else float(scores[0] > scores[1]),))
        return Reply(JUDGED, tuple(scores))


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values) if values else 0.0


base_herbs = partial(herb_set, level="base")


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


def format_score(answer: Answer, text: str, unread: Sequence[str], remarks: Iterable[str]) -> float:
    """Share of the parts that the layout asks for, times the share of the text that is part of it (no remark).

    0 where a piece of the text cannot be read, however short: 守上方 without an earlier prescription, or 去苍术 where
    none stood in it, is three signs that leave open what the patient is to take.
    """
    items = answer.prescription
    parts = [bool(answer.disease), bool(answer.syndrome), bool(answer.treatment_principle), bool(answer.formula)]
    parts += [bool(items), bool(answer.packets), _mean(item.dose is not None for item in items)]
    return 0.0 if unread else _mean(parts) * (1 - min(1.0, sum(map(len, remarks)) / max(len(text), 1)))


def coherence(answer: Answer, case: Case) -> float:
    """Whether disease, syndrome, principle, formula and herbs go together in the tables; mean of four parts."""
    named = lookup(answer, case)
    if named.numbers:
        disease = 1.0 if named.together else 0.0 if disease_patterns(answer.disease) else UNKNOWN * bool(answer.disease)
        principle = max(dice(answer.treatment_principle, p.treatment_principle) for p in named.patterns)
        formula = max(_formula_fit(answer.formula, p) for p in named.patterns)
        first = named.alike * (disease + principle + formula)
    else:
        first = UNKNOWN * sum(map(bool, (answer.syndrome, answer.treatment_principle, answer.formula)))
    return (first + _herbs_fit_formula(answer, named.patterns)) / 4


def lookup(answer: Answer, case: Case) -> Answered:
    """The patterns of the tables that an answer names for this patient."""
    return answered(answer.disease, answer.syndrome, case.patient.sex, age_group(case.patient.age))


def _formula_fit(formula: str, pattern: Pattern) -> float:
    """How much the answered formula is one that the pattern asks for: by name, else by shared herbs."""
    names = set(resolve_formula(formula))
    herbs = base_herbs(compose(formula))
    if not pattern.formulas:
        return UNKNOWN * bool(names)
    if any(names == set(resolve_formula(f)) for f in pattern.formulas):
        return 1.0
    return max(_jaccard(herbs, base_herbs(compose(f))) for f in pattern.formulas)


def _herbs_fit_formula(answer: Answer, found: Sequence[Pattern]) -> float:
    """Mean of the share of the formula's herbs that are prescribed and the share of prescribed herbs with a reason."""
    herbs, wanted = base_herbs(answer.herbs), base_herbs(compose(answer.formula))
    if not herbs or not wanted:
        return UNKNOWN * bool(herbs and answer.formula)
    added = base_herbs(herb for p in found for rule in p.modifications for herb, _ in rule.add)
    return (len(herbs & wanted) / len(wanted) + len(herbs & (wanted | added)) / len(herbs)) / 2


def coverage(answer: Answer, case: Case) -> float:
    """Whether disease and syndrome explain the findings as well as the best ones do, and 加减 answers the findings.

    A disease explains as much as its best pattern does.
    """
    text, named, disease = findings_text(case), lookup(answer, case), disease_patterns(answer.disease)
    relative = fits(text, case.patient.sex, age_group(case.patient.age))
    of_disease = max(relative[n] for n in disease) if disease else UNKNOWN * bool(answer.disease)
    of_syndrome = max(relative[n] for n in named.numbers) if named.numbers else UNKNOWN * bool(answer.syndrome)
    fit = (of_disease + (named.alike or 1) * of_syndrome) / 2
    rules = rules_answered(answer, named.patterns, text)
    return fit if rules is None else (1 - RULE_SHARE) * fit + RULE_SHARE * rules


def rules_answered(answer: Answer, found: Iterable[Pattern], text: str) -> float | None:
    """Share of the applicable modification rules that the prescription follows; None where no rule applies.

    A rule is followed when one of its herbs was added, or, where it only removes, when they are all absent.
    """
    herbs = base_herbs(answer.herbs)
    rules = [rule for p in found for rule in p.modifications if mentions(text, rule.symptom)]
    if not rules:
        return None
    return _mean(
        bool(herbs & base_herbs(h for h, _ in r.add)) if r.add else bool(herbs) and not herbs & base_herbs(r.remove)
        for r in rules
    )


def dose(answer: Answer, case: Case) -> float:
    """Mean over herbs: 1 within the usual range, less with every doubling beyond it, 0 from fourfold on or unstated."""
    return _mean(_dose_of(item, case) for item in answer.prescription)


def _dose_of(item: PrescriptionItem, case: Case) -> float:
    grams, name = dose_in_g(item), resolve_herb(item.herb)
    if grams is None:
        return 0.0
    herb = herb_info(name.canonical) if name else None
    if herb is None or herb.dose_min_g is None or herb.dose_max_g is None:
        return UNKNOWN
    share = child_fraction(case.patient.age)
    beyond = max(grams / (herb.dose_max_g * share), herb.dose_min_g * share / grams)
    return 1.0 if beyond <= 1 else max(0.0, 1 - math.log2(beyond) / 2)


def safety(answer: Answer, case: Case) -> float:
    """What is left after every finding of the safety audit took its share, so that one more finding always costs.

    Doses and herbs written twice count under `dose` and `repetition`. 0 without a prescription.
    """
    if not answer.prescription:
        return 0.0
    left = 1.0
    for finding in audit(answer.prescription, case.patient, answer.packets, answer.usage):
        if finding.kind not in ("overdose", "underdose", "duplicate_herb"):
            left *= LEFT_AFTER[finding.severity]
    return left


def repetition(answer: Answer, text: str) -> float:
    """Share of the prescription that is no repeat, or of the text if that repeats more."""
    names = [herb_at(herb, "canonical") for herb in answer.herbs]
    if not names:
        return 0.0
    return min(len(set(names)) / len(names), 1 - repeated_share(text))


def repeated_share(text: str) -> float:
    """Share of the runs of twelve characters that occurred before in the text."""
    runs = Counter(text[i : i + 12] for i in range(len(text) - 11))
    return 1 - len(runs) / max(sum(runs.values()), 1) if runs else 0.0


def continuity(answer: Answer, case: Case) -> float:
    """At a follow-up: a reasonable share of the previous prescription is kept, and new findings are answered.

    Overlap (Jaccard) from `KEPT` on is full score; handing the previous prescription in again is `UNCHANGED`.
    """
    before, now = base_herbs(case.previous_answer.herbs), base_herbs(answer.herbs)
    if not now:
        return 0.0
    doses_before = {item.herb: item.dose for item in case.previous_answer.prescription}
    unchanged = doses_before == {item.herb: item.dose for item in answer.prescription}
    share = UNCHANGED if unchanged else min(1.0, _jaccard(before, now) / KEPT)
    rules = rules_answered(answer, lookup(answer, case).patterns, case.visit.findings)
    return share if rules is None else (share + rules) / 2
