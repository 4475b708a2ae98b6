"""Does a judge agree with physicians? Its verdicts on answers whose worth is known, beside those of popularity.

A policy that learns from a judge drifts to what the judge likes best. So beside the order of answers it is asked where
that is: which of three answers that need no model (minimum Bayes risk under the evidence, rule of the tables,
popularity) it likes best, whether it likes that better than the physician's own, and how much of it physicians share.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from statistics import fmean
from typing import Any

from tcm.answers import read_for, write
from tcm.cases import Case
from tcm.cases.splits import groups
from tcm.evidence import CaseEvidence, Evidence, Weights
from tcm.metrics import sets
from tcm.metrics.floors import expert_rule
from tcm.metrics.intervals import interval, of_shares, ranged
from tcm_rlaif.feedback.cache import Cache
from tcm_rlaif.feedback.judges.base import Item, Judge, Mode
from tcm_rlaif.feedback.labelling import judge_items

OTHERS = 4
"""So many other patients' answers to a case; our choice: six pairs, and few questions for a judge that costs.

They are drawn from cases outside the evidence where there are twice as many: an answer that testifies has an advantage
over the case's own, which is silent.
"""
GAP = 0.1
"""Herb F1 by which two answers must differ to say which is better; our choice: about one herb of ten."""
FIGURES = {
    "own_above_other": "share of other patients' answers below this patient's",
    "own_above_nearest": "share of cases in which this patient's answer is above the nearest patient's",
    "order": f"share of pairs of other answers (herb F1 {GAP} apart) scored in the order of their herb F1",
    "order_gain": "that share less the one of popularity alone",
    "own_above_optimum": "share of cases in which the physician's answer is above the judge's optimum",
    "optimum_f1": "herb F1 of the judge's optimum with the physician's answer",
    "optimum_gain": "that herb F1 less the one of popularity",
}
"""What is measured; a tie counts half, and each is a mean over cases.

A case's own answer is never evidence for it. The nearest patient's is: where own is set against that, below 0.5 says
that the judge would rather have the neighbour copied.
"""


@dataclass(frozen=True)
class _Comparison:
    """Two answer texts to a case, of which physicians prefer the first; `figure` is what it is counted for."""

    figure: str
    case: Case
    better: str
    worse: str


@dataclass(frozen=True)
class _Material:
    """Everything that is judged, and what popularity says of it."""

    comparisons: list[_Comparison]
    floors: list[Item]
    popular: dict[str, CaseEvidence]

    @property
    def items(self) -> list[Item]:
        return [Item(c.case, (c.better, c.worse)) for c in self.comparisons] + self.floors


def measure(
    judges: Sequence[Judge],
    cases: Sequence[Case],
    evidence: Evidence,
    *,
    number: int,
    mode: Mode,
    cache: Cache | None = None,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure judges against the physicians' answers.

    Args:
        cases: training and validation cases; those without a prescription are passed over, and nothing is measured on
            fewer than two.
        number: so many of them are audited, drawn by the seed; half as many where answers are compared, since a case
            then takes about 34 questions rather than 9.
        evidence: of the training answers; an audited case's own answer is silent in it.
        mode: how the judges will be asked.

    Returns:
        Plain values for JSON. ``rows``: for every judge, the jury, each criterion and popularity alone the `FIGURES`,
        with ``value``, its interval ``low`` and ``high``, ``n`` cases and ``unjudged`` cases. ``drift``: for each
        judge, a sentence on what a policy would drift to. ``counts`` and ``cost`` of the judgements.
    """
    cases = [case for case in cases if case.answer and case.answer.prescription]
    number = number if mode == "pointwise" else number // 2
    material = _material(cases, evidence, number, seed) if len(cases) > 1 else _Material([], [], {})
    report = judge_items(judges, material.items, mode=mode, cache=cache, progress=progress)
    popularity = _by_case(material, [_popular_scores(material, item) for item in material.items])
    rows = _rows("popularity", "score", {k: v for k, v in popularity.items() if k != "own_above_optimum"})
    verdicts = {name: run.verdicts for name, run in report.runs.items()}
    if len(verdicts) > 1:
        verdicts["jury"] = report.verdicts
    for name, given in verdicts.items():
        by = {"score": [v.scores for v in given]}
        if name != "jury":
            criteria = dict.fromkeys(name for v in given for row in v.criteria for name in row)
            by |= {name: [tuple(row.get(name) for row in v.criteria) for v in given] for name in criteria}
        for scored_by, scores in by.items():
            rows += _rows(name, scored_by, _gains(_by_case(material, scores), popularity))
    drift = {name: sentence for name in verdicts if (sentence := _drift(name, rows))}
    return {"rows": rows, "drift": drift, "counts": report.counts, "cost": report.cost}


def _material(cases: Sequence[Case], evidence: Evidence, number: int, seed: int) -> _Material:
    trained = {case.id for case in evidence.pool.train}
    group = dict(zip((c.id for c in cases), groups(cases, evidence.pool.near_duplicate), strict=True))
    outside = [case for case in cases if case.id not in trained]
    others_of = outside if len(outside) >= 2 * OTHERS else cases
    audited = random.Random(seed).sample(cases, min(number, len(cases)))
    popularity = Evidence(evidence.pool.train, evidence.pool.near_duplicate, Weights(0, 0, 1, 0))
    popular = {about.case.id: about for about in popularity.about(audited)}
    nearest = evidence.pool.testimony(audited).similar
    rules = expert_rule([], audited)
    comparisons, floors = [], []
    for i, (case, about) in enumerate(zip(audited, evidence.about(audited), strict=True)):
        own = write(case.answer)
        pool = [other for other in others_of if group[other.id] != group[case.id]]
        others = random.Random(f"{seed}:{case.id}").sample(pool, min(OTHERS, len(pool)))
        texts = list(dict.fromkeys(write(other.answer) for other in others))
        comparisons += [_Comparison("own_above_other", case, own, text) for text in texts]
        if nearest[i].any():
            near = evidence.pool.train[int(nearest[i].argmax())].answer
            comparisons.append(_Comparison("own_above_nearest", case, own, write(near)))
        worth = {text: herb_f1(case, text) for text in texts}
        for pair in combinations(texts, 2):
            worse, better = sorted(pair, key=worth.get)
            if worth[better] - worth[worse] >= GAP:
                comparisons.append(_Comparison("order", case, better, worse))
        answers = (write(about.answer), rules[i] or "", write(popular[case.id].answer))
        comparisons += [_Comparison("own_above_optimum", case, own, text) for text in answers]
        floors.append(Item(case, answers))
    return _Material(comparisons, floors, popular)


def herb_f1(case: Case, text: str) -> float:
    """Herb F1 at base level of an answer text with the case's own answer."""
    return sets.herb_f1(case.answer.herbs, read_for(case, text).answer.herbs)


def _popular_scores(material: _Material, item: Item) -> tuple[float, ...]:
    about = material.popular[item.case.id]
    return tuple(round(about.expected_f1(read_for(item.case, text).answer.herbs), 6) for text in item.candidates)


Values = dict[str, dict[str, float | None]]
"""Figure -> id of the case -> value; None where a judgement is missing."""


def _by_case(material: _Material, scores: Sequence[tuple[float | None, ...]]) -> Values:
    """One value a case for each figure. The physician is above the optimum only when above all that it may be."""
    wins: dict[str, dict[str, list[float | None]]] = {}
    for one, (a, b) in zip(material.comparisons, scores[: len(material.comparisons)], strict=True):
        won = None if a is None or b is None else 0.5 if a == b else float(a > b)
        wins.setdefault(one.figure, {}).setdefault(one.case.id, []).append(won)
    found: Values = {}
    for figure, of_cases in wins.items():
        mean = min if figure == "own_above_optimum" else fmean
        found[figure] = {case: None if None in won else float(mean(won)) for case, won in of_cases.items()}
    found["optimum_f1"] = {
        item.case.id: _f1_of_best(item, row)
        for item, row in zip(material.floors, scores[len(material.comparisons) :], strict=True)
    }
    return found


def _f1_of_best(item: Item, scores: tuple[float | None, ...]) -> float | None:
    """Herb F1 of what scores best, the mean where several do."""
    if None in scores:
        return None
    best = [text for text, score in zip(item.candidates, scores, strict=True) if score == max(scores)]
    return fmean(herb_f1(item.case, text) for text in best)


def _gains(found: Values, popularity: Values) -> Values:
    """The figures with what they are above popularity, case by case."""
    for figure, of in (("order_gain", "order"), ("optimum_gain", "optimum_f1")):
        found[figure] = {
            case: None if value is None else value - popularity[of][case] for case, value in found.get(of, {}).items()
        }
    return found


def _rows(judge: str, scored_by: str, found: Values) -> list[dict[str, Any]]:
    rows = []
    for figure in FIGURES:
        values = [value for value in found.get(figure, {}).values() if value is not None]
        if values:
            low, high = interval(values) if figure.endswith("gain") else of_shares(values)
            row = {"judge": judge, "scored_by": scored_by, "figure": figure, "value": float(fmean(values))}
            rows.append(
                row | {"low": low, "high": high, "n": len(values), "unjudged": len(found[figure]) - len(values)}
            )
    return rows


def figure(rows: Sequence[dict[str, Any]], judge: str, name: str) -> dict[str, Any] | None:
    """One figure of a judge by its score; None where it could not be measured."""
    wanted = (judge, "score", name)
    return next((row for row in rows if (row["judge"], row["scored_by"], row["figure"]) == wanted), None)


def table(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The figures with their intervals, a row for each judge and criterion, to be shown."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault(
            (row["judge"], row["scored_by"]), {"judge": row["judge"], "scored by": row["scored_by"]}
        )
        line[row["figure"]] = said(row)
    return [{name: line.get(name, "") for name in ("judge", "scored by", *FIGURES)} for line in lines.values()]


said = partial(ranged, of="value", form=".2f")
"""A figure with its interval, in words."""


def _drift(judge: str, rows: Sequence[dict[str, Any]]) -> str:
    """What a policy that climbs the judge drifts to, in a sentence."""
    names = ("own_above_optimum", "optimum_f1", "optimum_gain", "order")
    above, f1, gain, order = (figure(rows, judge, name) for name in names)
    popular = figure(rows, "popularity", "order")
    if not (above and f1 and gain and order and popular):
        return ""
    if gain["low"] > 0:
        end = "a policy that climbs it comes nearer to the physicians than popularity does"
        end += ", but not to their own answers" if above["high"] < 0.5 else ""
    elif gain["high"] < 0:
        end = "a policy that climbs it walks away from the physicians, further than popularity stands"
    else:
        end = "it is not shown that a policy that climbs it comes nearer to the physicians than popularity does"
    return (
        f"{judge} puts its own optimum above the physician's answer in {1 - above['value']:.0%} of cases "
        f"[{1 - above['high']:.0%}, {1 - above['low']:.0%}] (a tie is half). That has a herb F1 of {said(f1)} "
        f"with the physician's answer, {said(gain, form='+.2f')} against popularity: {end}. It orders other "
        f"answers as herb F1 does in {said(order)}, popularity in {said(popular)}."
    )
