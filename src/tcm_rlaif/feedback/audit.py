"""Is the judge worth listening to? Measured before anything is trained on its word, with a gate in front of DPO.

All numbers are of the judge as it will be used: same mode, same prompts, training cases only.
"""

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from tcm.answers import parse
from tcm.cases import Case
from tcm.metrics.sets import herb_set, overlap
from tcm_rlaif.feedback.cache import Cache
from tcm_rlaif.feedback.defects import DEFECTS, Planted, plant
from tcm_rlaif.feedback.judges.base import JUDGED, Item, Judge, Mode, Question, Verdict, comparisons
from tcm_rlaif.feedback.labelling import JudgeRun, judge_items
from tcm_rlaif.study.schema import Params


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
        ``length_correlation``, ``kendall_tau`` (each with its ``n`` and value, None where it cannot be measured),
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
    for kind in DEFECTS:
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
    return rows


def _measured(values: Sequence[float], share: bool = False) -> dict[str, Any]:
    return {"value": float(fmean(values)) if values else None, "n": len(values)}


def order_flip_rate(run: JudgeRun) -> dict[str, Any]:
    """Share of pairs on which a judge says something else once the order of the texts is reversed.

    From pairwise and listwise replies; pointwise scoring shows one text at a time and has no order. For a judge with
    probabilities the preferred side counts, else the verdict, tie included.
    """
    flips = []
    for question, reply in run.replies.items():
        mirrored = Question(question.mode, question.case, question.texts[::-1], question.repeat)
        back = run.replies.get(mirrored)
        if question.mode == "pointwise" or question.texts > mirrored.texts or back is None:
            continue
        if reply.status == back.status == JUDGED:
            flips += _flips(question, reply.values, back.values, run.soft)
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
    ties = []
    for item, verdict in zip(items, run.verdicts, strict=True):
        if run.mode == "pairwise":
            repeats = 1 + max((q.repeat for q in run.replies), default=0)
            rows = comparisons(item, run.replies, run.soft, repeats).values()
            ties += [c == 0.5 for row in rows for c in row if not isinstance(c, str)]
        else:
            scores = list(dict(zip(item.candidates, verdict.scores, strict=True)).values())
            ties += [a == b for a, b in combinations([s for s in scores if s is not None], 2)]
    return _measured(ties)


def self_consistency(run: JudgeRun) -> dict[str, Any]:
    """How far a judge agrees with itself when asked again: 1 - mean |difference| between its values."""
    by_question: dict[tuple, list[tuple]] = {}
    for question, reply in run.replies.items():
        if reply.status == JUDGED:
            by_question.setdefault((question.case.id, question.texts), []).append(reply.values)
    distances = []
    for values in by_question.values():
        distances += [1 - fmean(abs(x - y) for x, y in zip(a, b, strict=True)) for a, b in combinations(values, 2)]
    return _measured(distances)


def _centred(rows: Sequence[tuple[list[float], list[float]]]) -> tuple[list[float], list[float]]:
    xs, ys = [], []
    for x, y in rows:
        xs += [round(v - fmean(x), 9) for v in x]  # rounded, lest noise of the subtraction breaks ties
        ys += [round(v - fmean(y), 9) for v in y]
    return xs, ys


def _scored(item: Item, verdict: Verdict) -> dict[str, float]:
    return {t: s for t, s in zip(item.candidates, verdict.scores, strict=True) if s is not None}


def length_correlation(items: Sequence[Item], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Spearman correlation of score and length in characters, both taken from the mean of their prompt.

    Centred, since a prompt that needs long answers says nothing about what the judge likes.
    """
    from scipy.stats import spearmanr

    rows = [(s, v) for s in (_scored(i, v) for i, v in zip(items, verdicts, strict=True)) for v in [list(s.values())]]
    lengths, scores = _centred([([float(len(t)) for t in s], v) for s, v in rows if len(s) > 1])
    if len(set(lengths)) < 2 or len(set(scores)) < 2:
        return {"value": None, "n": len(scores)}
    return {"value": float(spearmanr(lengths, scores).statistic), "n": len(scores)}


def _tau(x: Sequence[float], y: Sequence[float]) -> float | None:
    from scipy.stats import kendalltau

    return float(kendalltau(x, y).statistic) if len(set(x)) > 1 and len(set(y)) > 1 else None


def kendall_tau_with_gold(items: Sequence[Item], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Mean over prompts of Kendall's tau-b between score and base-herb F1 with the gold prescription.

    Over the prompts with a gold prescription in which both vary; ``n`` counts them.
    """
    taus = []
    for item, verdict in zip(items, verdicts, strict=True):
        gold = herb_set(item.case.answer.herbs, "base") if item.case.answer else frozenset()
        if not gold:
            continue
        scored = _scored(item, verdict)
        f1 = [overlap(gold, herb_set(parse(text).answer.herbs, "base"))["f1"] for text in scored]
        taus.append(_tau(list(scored.values()), f1))
    return _measured([t for t in taus if t is not None])


def agreement(runs: dict[str, JudgeRun]) -> list[dict[str, Any]]:
    """For every two judges, the mean over prompts of Kendall's tau-b between their scores."""
    rows = []
    for a, b in combinations(runs.values(), 2):
        taus = []
        for one, other in zip(a.verdicts, b.verdicts, strict=True):
            both = [(x, y) for x, y in zip(one.scores, other.scores, strict=True) if x is not None and y is not None]
            taus.append(_tau([x for x, _ in both], [y for _, y in both]))
        rows.append({"judges": [a.name, b.name]} | _measured([t for t in taus if t is not None]))
    return rows


def readings(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """The audit's single numbers as rows `reading`, `judge`, `value`, `n`; value None where it cannot be measured."""
    rows = []
    for name in ("order_flip_rate", "tie_rate", "self_consistency"):
        for who, found in audit[name].items():
            rows.append({"reading": name, "judge": who, "value": found["value"], "n": found["n"]})
    for name in ("length_correlation", "kendall_tau"):
        rows.append({"reading": name, "judge": "all", "value": audit[name]["value"], "n": audit[name]["n"]})
    for pair in audit["agreement"]:
        rows.append(
            {"reading": "agreement", "judge": " / ".join(pair["judges"]), "value": pair["value"], "n": pair["n"]}
        )
    return rows


def gate(audit: dict[str, Any], P: Params) -> list[dict[str, Any]]:
    """Thresholds of the parameters that an audit fails; an empty list opens the gate.

    What could not be measured (no pregnant patient, no gold answer, no order in pointwise mode) fails nothing; that the
    audit says None there is for the reader to see.

    Returns:
        Rows ``{"threshold", "value", "limit", "reason"}``.
    """
    checks = [
        ("audit_min_detection", r["rate"], P.audit_min_detection, f"sees {r['defect']} in {r['detected']} of {r['n']}")
        for r in audit["detection"]
    ]
    checks.append(("audit_min_kendall_tau", audit["kendall_tau"]["value"], P.audit_min_kendall_tau,
                   "hardly ranks candidates as herb F1 with the gold prescription does"))  # fmt: skip
    failed = [_row(*check) for check in checks if check[1] is not None and check[1] < check[2]]
    length = audit["length_correlation"]["value"]
    upper = [
        ("audit_max_flip_rate", rate["value"], P.audit_max_flip_rate, f"({judge}) says otherwise in the other order")
        for judge, rate in audit["order_flip_rate"].items()
    ]
    upper.append(("audit_max_length_correlation", None if length is None else abs(length),
                  P.audit_max_length_correlation, "scores follow the length of the answer"))  # fmt: skip
    return failed + [_row(*check) for check in upper if check[1] is not None and check[1] > check[2]]


def _row(threshold: str, value: float, limit: float, reason: str) -> dict[str, Any]:
    return {"threshold": threshold, "value": value, "limit": limit, "reason": f"the judge {reason}"}


def gate_message(failed: Sequence[dict[str, Any]], P: Params) -> str:
    """Why training must not start, or an empty string."""
    if not failed:
        return ""
    reasons = "; ".join(
        f"{row['reason']} ({row['threshold']}: {row['value']:.2f}, limit {row['limit']:g})" for row in failed
    )
    advice = "overridden by audit_override" if P.audit_override else "mend the judge, or set audit_override: true"
    return f"the judge failed its audit: {reasons}; {advice}"
