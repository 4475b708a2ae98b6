"""All metrics of one answer to one case, flat, and their means over cases."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from tcm.answers import ParsedAnswer, format_valid, previous_items, read_for, write
from tcm.cases import Answer, Case, PrescriptionItem
from tcm.metrics import dose, followup, labels, text
from tcm.metrics.catalogue import METRICS
from tcm.metrics.published import mtcmb_pr
from tcm.metrics.sets import harmonic, herb_set, overlap, size_agreement
from tcm.metrics.usable import usable

Scores = dict[str, float | None]


def score_case(case: Case, answer_text: str, finished: bool | None = None) -> Scores:
    """Score one answer.

    Args:
        case: the case with its gold answer; without one only the metrics that need none are computed.
        answer_text: what the model wrote.
        finished: whether generation ended by itself (EOS); None where nobody knows.

    Returns:
        Every key of `METRICS` in their order. None means that the metric does not apply to this case (no gold dose,
        a first visit, …) or is not defined for this answer (an error over matched herbs without a match); it is
        never 0 for these, and a poor answer is never None where 0 is meant.
    """
    parsed = read_for(case, answer_text)
    answer = parsed.answer
    scores: Scores = dict.fromkeys(metric.key for metric in METRICS)
    scores |= text_scores(answer_text, parsed, finished, previous_items(case))
    scores["herb_repetition"] = text.repetition(answer.herbs)
    scores["usable"], _ = usable(case.answer, parsed, case.patient, finished)
    if case.answer is None:
        return scores
    for score in (herb_scores, dose_scores, label_scores):
        scores |= score(case.answer, answer)
    scores |= similarity(write(case.answer), answer_text)
    if case.previous_answer:
        scores |= followup_scores(case.previous_answer, case.answer, answer)
    return scores


def text_scores(
    answer_text: str,
    parsed: ParsedAnswer,
    finished: bool | None = None,
    previous: Sequence[PrescriptionItem] = (),
) -> Scores:
    """Metrics of the text, and of how it was read, that need no gold answer; it may change the `previous` one."""
    return {
        "format_valid": float(format_valid(answer_text, previous, parsed)),
        "ngram_repetition": text.ngram_repetition(answer_text),
        "length": float(len(answer_text)),
        "finished": None if finished is None else float(finished),
    }


def similarity(gold_text: str, answer_text: str) -> Scores:
    """BLEU-4 and ROUGE-L of two texts."""
    return {"bleu4": text.bleu4(gold_text, answer_text), "rouge_l": text.rouge_l(gold_text, answer_text)}


def herb_scores(gold: Answer, pred: Answer) -> Scores:
    """Herb-set agreement at both levels; nothing where gold has no prescription."""
    if not gold.prescription:
        return {}
    scores: Scores = {"mtcmb_pr_composite": mtcmb_pr(list(gold.herbs), list(pred.herbs))["composite"]}
    for prefix, level in (("herb", "canonical"), ("herb_base", "base")):
        truth, answer = herb_set(gold.herbs, level), herb_set(pred.herbs, level)
        scores |= {f"{prefix}_{name}": value for name, value in overlap(truth, answer).items()}
        scores[f"{prefix}_size"] = size_agreement(truth, answer)
    return scores


def dose_scores(gold: Answer, pred: Answer) -> Scores:
    """Dose agreement; where gold has no dose, only the in-range rate of an answer that gives doses."""
    return scores_of_grams(dose.grams(gold.prescription), dose.grams(pred.prescription), pred)


def scores_of_grams(truth: Mapping[str, float], answer: Mapping[str, float], pred: Answer) -> Scores:
    """`dose_scores` where the grams of both sides are known."""
    scores: Scores = {}
    if truth:
        scores = {f"dose_{name}": value for name, value in dose.dose_agreement(truth, answer).items()}
    if truth or answer:
        scores["dose_in_range"] = dose.in_range_rate(pred.prescription) if pred.prescription else 0.0
    return scores


def label_scores(gold: Answer, pred: Answer) -> Scores:
    """Agreement of disease, syndrome, formula and treatment principle, each where gold has it."""
    scores: Scores = {}
    for field, set_score in (
        ("disease", labels.label_f1),
        ("syndrome", labels.label_f1),
        ("formula", labels.formula_f1),
    ):
        truth, answer = getattr(gold, field), getattr(pred, field)
        if truth:
            scores[f"{field}_exact"] = labels.exact(truth, answer)
            scores[f"{field}_f1"] = set_score(truth, answer)
    if gold.treatment_principle:
        scores["principle_f1"] = labels.principle_f1(gold.treatment_principle, pred.treatment_principle)
        scores["principle_dice"] = labels.bigram_dice(gold.treatment_principle, pred.treatment_principle)
    return scores


def followup_scores(previous: Answer, gold: Answer, pred: Answer) -> Scores:
    """Metrics of a follow-up visit; nothing where the previous or the gold answer has no prescription."""
    if not previous.prescription or not gold.prescription:
        return {}
    sets = [herb_set(answer.herbs, "canonical") for answer in (previous, gold, pred)]
    doses = [dose.grams(answer.prescription) for answer in (previous, gold, pred)]
    scores: Scores = {f"followup_{name}": value for name, value in followup.changes(*sets).items()}
    scores["followup_gain"] = followup.gain_over_copy(*sets)
    scores["followup_dose_direction"] = followup.dose_direction(*doses)
    return scores


def summarise(rows: Sequence[Mapping[str, float | None]]) -> dict[str, dict[str, float | int | None]]:
    """Mean and n of every metric over cases.

    Args:
        rows: what `score_case` returned, one per case.

    Returns:
        metric → ``{"mean", "n"}`` with n the cases it applies to; the mean is None where n is 0. Beside the keys of
        `METRICS` stand ``herb_f1_of_means`` and ``herb_base_f1_of_means``: F1 of mean precision and mean recall,
        which published tables mix with the mean of F1.
    """
    summary: dict[str, dict[str, float | int | None]] = {}
    for metric in METRICS:
        values = [row[metric.key] for row in rows if row[metric.key] is not None]
        summary[metric.key] = {"mean": fmean(values) if values else None, "n": len(values)}
    for prefix in ("herb", "herb_base"):
        precision, recall = summary[f"{prefix}_precision"], summary[f"{prefix}_recall"]
        f1 = harmonic(precision["mean"], recall["mean"]) if recall["n"] else None
        summary[f"{prefix}_f1_of_means"] = {"mean": f1, "n": recall["n"]}
    return summary
