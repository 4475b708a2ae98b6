"""Scores of many answers against gold answers, in sections: one per published scorer, strict twins, dose, safety, text.

Ids are never dropped. An id that one side lacks counts in every n and scores 0 on every share. Where all ids match, the
numbers are those of the original scorers; where some are missing they can be lower (TCM-TBOSD divides by predictions).
An error such as MAE has no 0 that means "bad": it is taken over the cases where it is defined, with an n of its own.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any

from tcm.answers import ParsedAnswer, parse
from tcm.cases import Answer, Patient, PrescriptionItem
from tcm.knowledge import resolve_herb
from tcm.metrics import case, dose, published, strict
from tcm.metrics.floors import leave_one_out
from tcm.metrics.labels import label_f1
from tcm.metrics.sets import Level, f1_macro_case, f1_of_means, herb_set
from tcm.metrics.text import repetition
from tcm.metrics.usable import usable
from tcm.prescriptions.safety import KINDS, Finding, audit

Section = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One answer as the scorers see it.

    Args:
        parsed: what was read.
        names: herbs as the published scorers read them, duplicates kept.
        text: the text, None where only a list of herbs was given.
        finished: whether generation ended by itself, None where unknown.
        patient: for the safety audit.
    """

    parsed: ParsedAnswer
    names: tuple[str, ...]
    text: str | None = None
    finished: bool | None = None
    patient: Patient = Patient()

    @property
    def answer(self) -> Answer:
        """The answer alone."""
        return self.parsed.answer

    @cached_property
    def sets(self) -> Mapping[Level, frozenset[str]]:
        """Its herbs at both levels."""
        return {level: herb_set(self.answer.herbs, level) for level in ("canonical", "base")}

    @cached_property
    def grams(self) -> Mapping[str, float]:
        """Its doses, see `dose.grams`."""
        return dose.grams(self.answer.prescription)


MISSING = Entry(ParsedAnswer(Answer(), ()), ())
Pair = tuple[Entry | None, Entry | None]


def read_text(text: str) -> tuple[ParsedAnswer, tuple[str, ...]]:
    """Read an answer, and the herb names that a published scorer would see in it.

    A text in which the parser finds a field has the herbs of its 处方. Any other text is read as MTCMB reads it (a
    Python list, or names between ASCII commas); for our own metrics its names count as a prescription if the tables
    know at least one of them, so that a refusal is not audited as a prescription of unknown herbs.
    """
    parsed = parse(text)
    if parsed.answer != MISSING.answer:
        return parsed, parsed.answer.herbs
    listed = strict.list_herbs(text)
    if any(resolve_herb(name) for name in listed):
        parsed = replace(parsed, answer=Answer(prescription=tuple(PrescriptionItem(herb=name) for name in listed)))
    return parsed, tuple(published.mtcmb_herbs(text))


def sections(pairs: Mapping[str, Pair]) -> dict[str, Section]:
    """All sections over id → (gold, prediction), None for the side that lacks the id.

    Each section has ``n``, the ids behind its shares; ``<name>_n`` where a number has fewer. ``floor`` holds the same
    numbers for the patient-blind answer (`floors.leave_one_out`), None where fewer than two gold rows have herbs.
    """
    rows = list(pairs.values())
    floor = _floor(rows)
    found: dict[str, Section] = {}
    for name, section in (("mtcmb_pr", _mtcmb_pr), ("tbosd", _tbosd), ("strict", _strict), ("dose", _dose)):
        found[name] = section(rows)
        found[name]["floor"] = section(floor) if floor else None
    return found | {"safety": _safety(rows), "text": _text(rows)}


def _floor(rows: Sequence[Pair]) -> list[Pair]:
    golds = [gold for gold, _ in rows if gold and gold.answer.prescription]
    answers = leave_one_out([gold.answer for gold in golds]) if len(golds) > 1 else []
    return [(gold, Entry(ParsedAnswer(a, ()), a.herbs)) for gold, a in zip(golds, answers, strict=False)]


def _scored(rows: Sequence[Pair], applies: Callable[[Entry], object]) -> list[tuple[Entry, Entry]]:
    """Pairs that a metric covers: gold rows it applies to, and, if there are any, answers without a gold row."""
    covered = [(gold or MISSING, pred or MISSING) for gold, pred in rows if gold is None or applies(gold)]
    return covered if any(gold is not MISSING for gold, _ in covered) else []


def _means(rows: Sequence[Mapping[str, float | None]], names: Sequence[str]) -> Section:
    """Mean of each name over the rows that have it; None without such a row."""
    values = {name: [row[name] for row in rows if row[name] is not None] for name in names}
    return {name: fmean(found) if found else None for name, found in values.items()}


def _mtcmb_pr(rows: Sequence[Pair]) -> Section:
    scores = [published.mtcmb_pr(list(g.names), list(p.names)) for g, p in _scored(rows, lambda gold: gold.names)]
    names = ("jaccard", "precision", "recall", "f1", "size", "composite")
    score = published.mtcmb_pr_score(scores) if scores else None
    return {"n": len(scores), **_means(scores, names), "score": score}


TASK1 = ("syndrome_acc", "disease_acc", "task1", "task1_readme")


def _tbosd(rows: Sequence[Pair]) -> Section:
    labelled = _scored(rows, lambda gold: gold.answer.syndrome and gold.answer.disease)
    herbs = _scored(rows, lambda gold: gold.names)
    section: Section = {"n": len(herbs)} | dict.fromkeys((*TASK1, "jaccard", "f1", "size", "task2", "final"))
    section |= {f"{name}_n": len(labelled) for name in TASK1} | {"final_n": min(len(labelled), len(herbs))}
    if labelled:
        truths = [_labels(i, gold) for i, (gold, _) in enumerate(labelled) if gold is not MISSING]
        answers = [_labels(i, pred) for i, (_, pred) in enumerate(labelled)]
        section |= published.tbosd_task1(truths, answers)
        section["task1_readme"] = published.tbosd_task1_readme(truths, answers)["task1"]
    if herbs:
        truths, answers = ([{"id": i, "herbs": pair[side].names} for i, pair in enumerate(herbs)] for side in (0, 1))
        section |= published.tbosd_task2(truths, answers)
    if labelled and herbs:
        section["final"] = published.tbosd_final(section["task1"], section["task2"])
    return section


def _labels(case_id: int, entry: Entry) -> dict[str, object]:
    return {"id": case_id, "syndrome": entry.answer.syndrome, "disease": entry.answer.disease}


STRICT = ("precision", "recall", "jaccard", "size", "composite")


def _strict(rows: Sequence[Pair]) -> Section:
    pairs = _scored(rows, lambda gold: gold.answer.prescription)
    section: Section = {"n": len(pairs)}
    for prefix, level in (("", "canonical"), ("base_", "base")):
        scores = [
            strict.set_scores(gold.sets[level], pred.sets[level])
            if gold is not MISSING
            else dict.fromkeys((*STRICT, "f1"), 0.0)
            for gold, pred in pairs
        ]
        section |= {f"{prefix}{name}": value for name, value in _means(scores, STRICT).items()}
        section[f"{prefix}f1_macro_case"] = f1_macro_case(scores) if scores else None
        section[f"{prefix}f1_of_means"] = f1_of_means(scores) if scores else None
    for field in ("syndrome", "disease"):
        labelled = _scored(rows, lambda gold, field=field: getattr(gold.answer, field))
        f1 = [label_f1(getattr(gold.answer, field), getattr(pred.answer, field)) or 0.0 for gold, pred in labelled]
        section |= {f"{field}_f1": fmean(f1) if f1 else None, f"{field}_f1_n": len(f1)}
    return section


DOSE_SHARES = ("coverage", "overlap", "cosine", "in_range")
DOSE_ERRORS = ("mae_g", "mae_union_g", "abs_log2_ratio")


def _dose(rows: Sequence[Pair]) -> Section:
    pairs = _scored(rows, lambda gold: gold.grams)
    nothing = dict.fromkeys(DOSE_SHARES, 0.0) | dict.fromkeys(DOSE_ERRORS)
    scores = []
    for gold, pred in pairs:
        found = case.scores_of_grams(gold.grams, pred.grams, pred.answer) if gold is not MISSING else {}
        scores.append(nothing | {name.removeprefix("dose_"): value for name, value in found.items()})
    section: Section = {"n": len(pairs)} | _means(scores, (*DOSE_SHARES, *DOSE_ERRORS))
    return section | {f"{name}_n": sum(s[name] is not None for s in scores) for name in DOSE_ERRORS}


def _safety(rows: Sequence[Pair]) -> Section:
    """Rates of findings per prescription written for a gold row's patient, beside the gold prescriptions' own.

    ``pred`` and ``gold`` hold `rates`, ``excess`` their difference: physicians break rules at times, so 0 is not
    the standard. Overdose and underdose are rates over the ``dosed_n`` prescriptions that give a dose. ``clean`` and
    ``clean_gold`` are shares of all ids with a prescription and without a finding: saying nothing is not safe.
    ``usable`` and ``usable_gold`` are shares of the ids whose gold row has a prescription (`metrics.usable`).
    """
    section: Section = {"n": len(rows)}
    for side, end in (("pred", ""), ("gold", "_gold")):
        pairs = [(gold, (pred if side == "pred" else gold) or MISSING) for gold, pred in rows if gold]
        audited = [(gold, entry, _audit(entry, gold.patient)) for gold, entry in pairs]
        fit = [
            usable(gold.answer, entry.parsed, gold.patient, entry.finished, found)[0]
            for gold, entry, found in audited
            if gold.answer.prescription
        ]
        section |= {f"usable{end}": fmean(fit) if fit else None, "usable_n": len(fit)}
        written = [(entry.answer, found) for _, entry, found in audited if entry.answer.prescription]
        dosed = [found for answer, found in written if any(item.dose for item in answer.prescription)]
        in_dosed = rates(dosed)
        section[f"clean{end}"] = sum(not found for _, found in written) / len(rows) if rows else None
        section[side] = rates([found for _, found in written])
        section[side] |= {kind: in_dosed[kind] for kind in ("overdose", "underdose")} | {"dosed_n": len(dosed)}
    return section | {"excess": excess(section["pred"], section["gold"])}


def _audit(entry: Entry, patient: Patient) -> list[Finding]:
    return audit(entry.answer.prescription, patient, entry.answer.packets, entry.answer.usage)


def _text(rows: Sequence[Pair]) -> Section:
    names = ("format_valid", "bleu4", "rouge_l", "herb_repetition", "ngram_repetition", "length", "finished")
    scores = []
    if any(pred and pred.text is not None for _, pred in rows):
        scores = [_text_scores(gold or MISSING, pred) for gold, pred in rows]
    section: Section = {"n": len(scores)} | _means(scores, names)
    return section | {f"{name}_n": sum(s[name] is not None for s in scores) for name in names[1:]}


def _text_scores(gold: Entry, pred: Entry | None) -> dict[str, float | None]:
    """Text metrics of one answer; one that is missing or without gold row is invalid and unlike."""
    scores: dict[str, float | None] = {"format_valid": 0.0, "herb_repetition": None, "ngram_repetition": None}
    scores |= {"length": None, "finished": None, "bleu4": None, "rouge_l": None}
    if pred and pred.text is not None:
        scores |= case.text_scores(pred.text, pred.parsed, pred.finished)
        scores["herb_repetition"] = repetition(pred.answer.herbs)
    if gold is MISSING:
        return scores | {"format_valid": 0.0, "bleu4": 0.0, "rouge_l": 0.0}
    return scores if gold.text is None else scores | case.similarity(gold.text, (pred and pred.text) or "")


def rates(audits: Sequence[Sequence[Finding]]) -> dict[str, float | int | None]:
    """Share of prescriptions with at least one finding, for each kind and for any.

    Returns:
        ``n`` = number of prescriptions; ``any`` and each of `KINDS` in [0, 1], None where n is 0.
    """
    n = len(audits)
    share: dict[str, float | int | None] = {"n": n, "any": sum(map(bool, audits)) / n if n else None}
    found = Counter(kind for findings in audits for kind in {finding.kind for finding in findings})
    for kind in KINDS:
        share[kind] = found[kind] / n if n else None
    return share


def excess(
    predicted: Mapping[str, float | int | None], gold: Mapping[str, float | int | None]
) -> dict[str, float | int | None]:
    """Rates of predicted prescriptions minus those of the gold ones: what a model adds to the usual risk.

    Returns:
        ``n`` and ``n_gold``; ``any`` and each of `KINDS` in [-1, 1], None where a side has no prescription.
    """
    out: dict[str, float | int | None] = {"n": predicted["n"], "n_gold": gold["n"]}
    for kind in ("any", *KINDS):
        a, b = predicted[kind], gold[kind]
        out[kind] = None if a is None or b is None else a - b
    return out
