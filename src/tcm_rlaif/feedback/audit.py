"""Is the judge worth listening to? Measured before anything is trained on its word.

What it makes of physicians' answers is measured in `physicians`, what of all that closes the way to DPO in `gate`. All
numbers are of the judge as it will be used: same mode, same prompts, training cases only.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from tcm.cases import Case
from tcm.metrics.intervals import interval, of_groups, resampled, wilson
from tcm_rlaif.feedback.cache import Cache
from tcm_rlaif.feedback.defects import KINDS, Planted, plant
from tcm_rlaif.feedback.judges.base import JUDGED, Item, Judge, Mode, Question, Verdict, comparisons
from tcm_rlaif.feedback.labelling import JudgeRun, judge_items
from tcm_rlaif.feedback.physicians import herb_f1


def audit_judges(
    judges: Sequence[Judge],
    items: Sequence[Item],
    cases: Sequence[Case],
    *,
    mode: Mode,
    cache: Cache | None = None,
    repeats: int = 2,
    planted_per_kind: int = 50,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure judges on sampled candidates and on planted defects.

    Args:
        items: candidates for training prompts, as they are labelled.
        cases: training cases with gold answers, into which defects are planted.
        mode: how the judges will be asked.
        repeats: how often each question is asked, at least 2 for self-consistency; what is cached is not asked again.
        planted_per_kind: defects of each kind.

    Returns:
        Plain values for JSON: ``detection`` (rows by defect), ``order_flip_rate``, ``tie_rate``, ``self_consistency``,
        ``length_correlation``, ``kendall_tau`` (each with ``n``, ``value`` and the ends ``low`` and ``high`` of its
        interval over cases, None where it cannot be measured),
        ``agreement`` between judges, ``impossible`` defects, ``counts`` and ``cost``.
    """
    planted, impossible = plant(cases, per_kind=planted_per_kind, seed=seed)
    pairs = [Item(p.case, (p.intact, p.defective)) for p in planted]
    settings = {"mode": mode, "cache": cache, "progress": progress}
    on_planted = judge_items(judges, pairs, **settings)
    sampled = judge_items(judges, items, **settings, repeats=max(2, repeats))
    runs = sampled.runs.values()
    return {
        "mode": mode,
        "judges": list(sampled.runs),
        "detection": detection(planted, on_planted.verdicts),
        "detection_by_judge": {n: detection(planted, r.verdicts) for n, r in on_planted.runs.items()},
        "impossible": impossible,
        "order_flip_rate": {r.name: order_flip_rate(r) for r in runs},
        "tie_rate": {r.name: tie_rate(r, items) for r in runs},
        "self_consistency": {r.name: self_consistency(r) for r in runs},
        "length_correlation": length_correlation(items, sampled.verdicts),
        "kendall_tau": kendall_tau_with_gold(items, sampled.verdicts),
        "agreement": agreement(sampled.runs),
        "counts": on_planted.counts + sampled.counts,
        "cost": {"planted": on_planted.cost, "sampled": sampled.cost},
    }


def detection(planted: Sequence[Planted], verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Per kind of defect, how often the defective text scores below the intact one.

    A tie is no detection, and neither is a pair that could not be judged: the rate is over all that was planted.
    """
    rows = []
    for kind in KINDS:
        scores = [v.scores for p, v in zip(planted, verdicts, strict=True) if p.kind == kind]
        judged = [s for s in scores if None not in s]
        found = sum(bad < good for good, bad in judged)
        rows.append(
            {
                "defect": kind,
                "n": len(scores),
                "detected": found,
                "tied": sum(bad == good for good, bad in judged),
                "preferred": sum(bad > good for good, bad in judged),
                "unjudged": len(scores) - len(judged),
                "rate": found / len(scores) if scores else None,
            }
        )
        rows[-1]["low"], rows[-1]["high"] = wilson(found, len(scores)) if scores else (None, None)
    return rows


def _measured(by_case: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Mean of values in 0..1 with its interval over cases."""
    groups = [values for values in by_case.values() if values]
    if not groups:
        return _reading(None, 0)
    values = [value for group in groups for value in group]
    return _reading(fmean(values), len(values), of_groups(groups))


def _reading(value: float | None, n: int, ends: tuple[float | None, float | None] = (None, None)) -> dict[str, Any]:
    return {"value": None if value is None else float(value), "n": n, "low": ends[0], "high": ends[1]}


FEWEST = 5
"""Prompts below which no interval of their mean is told: the whole range then shows nothing. Our choice."""


def _over_prompts(taus: Sequence[float | None]) -> dict[str, Any]:
    found = [tau for tau in taus if tau is not None]
    if not found:
        return _reading(None, 0)
    return _reading(fmean(found), len(found), interval(found) if len(found) >= FEWEST else (-1.0, 1.0))


def order_flip_rate(run: JudgeRun) -> dict[str, Any]:
    """Share of pairs on which a judge says something else once the order of the texts is reversed.

    From pairwise and listwise replies; pointwise scoring shows one text at a time and has no order. For a judge with
    probabilities the preferred side counts, else the verdict, tie included.
    """
    flips: dict[str, list[float]] = {}
    for question, reply in run.replies.items():
        mirrored = Question(question.mode, question.case, question.texts[::-1], question.repeat)
        back = run.replies.get(mirrored)
        if question.mode == "pointwise" or question.texts > mirrored.texts or back is None:
            continue
        if reply.status == back.status == JUDGED:
            flips.setdefault(question.case.id, []).extend(_flips(question, reply.values, back.values, run.soft))
    return _measured(flips)


def _flips(question: Question, values: tuple, back: tuple, soft: bool) -> list[bool]:
    if question.mode == "pairwise":
        forward, backward = values[0] - 0.5, 0.5 - back[0]
        return [forward * backward < 0 if soft else forward != backward]
    one = dict(zip(question.texts, values, strict=True))
    other = dict(zip(question.texts[::-1], back, strict=True))
    return [_sign(one[a] - one[b]) != _sign(other[a] - other[b]) for a, b in combinations(question.texts, 2)]


def _sign(x: float) -> int:
    return (x > 0) - (x < 0)


def tie_rate(run: JudgeRun, items: Sequence[Item]) -> dict[str, Any]:
    """Share of pairs of different candidates of a prompt between which the judge sees no difference."""
    ties: dict[str, list[float]] = {}
    for item, verdict in zip(items, run.verdicts, strict=True):
        if run.mode == "pairwise":
            repeats = 1 + max((q.repeat for q in run.replies), default=0)
            rows = comparisons(item, run.replies, run.soft, repeats).values()
            found = [c == 0.5 for row in rows for c in row if not isinstance(c, str)]
        else:
            found = [a == b for a, b in combinations(_scored(item, verdict).values(), 2)]
        ties.setdefault(item.case.id, []).extend(found)
    return _measured(ties)


def self_consistency(run: JudgeRun) -> dict[str, Any]:
    """How far a judge agrees with itself when asked again: 1 - mean |difference| between its values."""
    by_question: dict[tuple, list[tuple]] = {}
    for question, reply in run.replies.items():
        if reply.status == JUDGED:
            by_question.setdefault((question.case.id, question.texts), []).append(reply.values)
    distances: dict[str, list[float]] = {}
    for (case, _), values in by_question.items():
        found = [1 - fmean(abs(x - y) for x, y in zip(a, b, strict=True)) for a, b in combinations(values, 2)]
        distances.setdefault(case, []).extend(found)
    return _measured(distances)


def _centred(values: Sequence[float]) -> list[float]:
    return [round(v - fmean(values), 9) for v in values]  # rounded, lest noise of the subtraction breaks ties


def _scored(item: Item, verdict: Verdict) -> dict[str, float]:
    return {t: s for t, s in zip(item.candidates, verdict.scores, strict=True) if s is not None}


def length_correlation(items: Sequence[Item], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Spearman correlation of score and length in characters, both taken from the mean of their prompt.

    Centred, since a prompt that needs long answers says nothing about what the judge likes.
    """
    scored = [s for s in (_scored(i, v) for i, v in zip(items, verdicts, strict=True)) if len(s) > 1]
    prompts = [(_centred([float(len(t)) for t in s]), _centred(list(s.values()))) for s in scored]
    value, n = _spearman(prompts), sum(map(len, scored))
    return _reading(None, n) if math.isnan(value) else _reading(value, n, resampled(_spearman, prompts))


def _spearman(prompts: Sequence[tuple[list[float], list[float]]]) -> float:
    from scipy.stats import spearmanr

    x, y = ([value for prompt in prompts for value in prompt[side]] for side in (0, 1))
    return float(spearmanr(x, y).statistic) if len(set(x)) > 1 and len(set(y)) > 1 else math.nan


def _tau(x: Sequence[float], y: Sequence[float]) -> float | None:
    from scipy.stats import kendalltau

    return float(kendalltau(x, y).statistic) if len(set(x)) > 1 and len(set(y)) > 1 else None


def kendall_tau_with_gold(items: Sequence[Item], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Mean over prompts of Kendall's tau-b between score and base-herb F1 with the gold prescription.

    Over the prompts with a gold prescription in which both vary; ``n`` counts them.
    """
    taus = []
    for item, verdict in zip(items, verdicts, strict=True):
        if item.case.answer and item.case.answer.prescription:
            scored = _scored(item, verdict)
            taus.append(_tau(list(scored.values()), [herb_f1(item.case, text) for text in scored]))
    return _over_prompts(taus)


def agreement(runs: dict[str, JudgeRun]) -> list[dict[str, Any]]:
    """For every two judges, the mean over prompts of Kendall's tau-b between their scores."""
    rows = []
    for a, b in combinations(runs.values(), 2):
        taus = []
        for one, other in zip(a.verdicts, b.verdicts, strict=True):
            both = [(x, y) for x, y in zip(one.scores, other.scores, strict=True) if x is not None and y is not None]
            taus.append(_tau([x for x, _ in both], [y for _, y in both]))
        rows.append({"judges": [a.name, b.name]} | _over_prompts(taus))
    return rows


def readings(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """The audit's single numbers as rows `reading`, `judge`, `value`, `low`, `high`, `n`; None where not measurable."""
    found = [(name, who, row) for name in ("order_flip_rate", "tie_rate", "self_consistency")
             for who, row in audit[name].items()]  # fmt: skip
    found += [(name, "all", audit[name]) for name in ("length_correlation", "kendall_tau")]
    found += [("agreement", " / ".join(row["judges"]), row) for row in audit["agreement"]]
    return [
        {"reading": name, "judge": who} | {key: row[key] for key in ("value", "low", "high", "n")}
        for name, who, row in found
    ]
