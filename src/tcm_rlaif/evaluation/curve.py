"""Herb F1 by the number of answers that are known: the line that a language model trained on as many has to pass.

What needs no model (`expert`, the nearest case, popularity) answers the test cases from 10, 20, 40 … training answers,
the weights of the evidence fitted to those alone. An arm is a point at the number of answers that its SFT saw.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from tcm.answers import parse
from tcm.cases import Answer, Case
from tcm.cases.splits import groups
from tcm.evidence import Evidence
from tcm.metrics.floors import nearest_case, popularity
from tcm.metrics.intervals import ranged
from tcm.metrics.sets import Level, herb_f1
from tcm_rlaif.evaluation import stats
from tcm_rlaif.study import axis, params
from tcm_rlaif.study.notebooks import TRAININGS
from tcm_rlaif.study.schema import Params

SIZES = (10, 20, 40, 80, 150)
"""Numbers of training answers, as far as they go, beside those that an arm's SFT saw; all of them come last."""
SUBSETS = 3
"""Random subsets of each size; our choice: seconds rather than minutes, on two hundred cases."""
LEVELS: dict[str, Level] = {"herb_f1": "canonical", "herb_base_f1": "base"}
LINE = "expert"
"""The highest of what needs no model: the line to pass."""


def subset(cases: Sequence[Case], size: int, near_duplicate: float, seed: int) -> list[Case]:
    """At most so many cases, of groups that are drawn whole; a smaller subset of the same seed lies in a larger one.

    (A group that no longer fits is passed over, so that where groups hold several visits this holds nearly.)
    """
    members: dict[int, list[Case]] = {}
    for case, number in zip(cases, groups(cases, near_duplicate), strict=True):
        members.setdefault(number, []).append(case)
    order = sorted(members)
    random.Random(f"subset-{seed}").shuffle(order)
    taken: list[Case] = []
    for number in order:
        taken += members[number] if len(taken) + len(members[number]) <= size else []
    return taken


def answered(train: Sequence[Case], test: Sequence[Case], near_duplicate: float) -> dict[str, list[Answer]]:
    """The answers of `expert`, the nearest case and popularity to test cases, from these training answers alone."""
    read: dict[str, Answer] = {}

    def answer(text: str) -> Answer:
        return read.get(text) or read.setdefault(text, parse(text).answer)

    return {
        LINE: [about.answer for about in Evidence(train, near_duplicate).about(test)],
        "nearest_case": [answer(text) for text in nearest_case(train, test)],
        "popularity": [answer(text) for text in popularity(train, test)],
    }


def measure(train: Sequence[Case], test: Sequence[Case], study: Params) -> pd.DataFrame:
    """The curve on test cases.

    Args:
        train: all training cases; those without a prescription are passed over, in `test` too.

    Returns:
        One row for each metric of `LEVELS`, floor and number of ``answers``: ``mean`` over cases (each averaged over
        the subsets first), its interval ``low`` and ``high`` over patients, the mean of each of the ``subsets``,
        ``n`` cases. No rows where there is nothing to learn from or to ask.
    """
    sizes = {*SIZES, *study.sizes, *_seen(train, study).values()}
    train, test = ([case for case in part if case.answer and case.answer.prescription] for part in (train, test))
    columns = ("metric", "answers by", "answers", "mean", "low", "high", "subsets", "n")
    if not train or not test:
        return pd.DataFrame(columns=columns)
    rows = []
    for size in [*sorted(size for size in sizes if 0 < size < len(train)), len(train)]:
        seeds = range(SUBSETS if size < len(train) else 1)
        draws = [subset(train, size, study.data_near_duplicate, seed) for seed in seeds]
        found = [answered(draw, test, study.data_near_duplicate) for draw in draws if draw]
        for metric, level in LEVELS.items():
            for floor in found[0] if found else ():
                scores = [
                    [herb_f1(c.answer.herbs, a.herbs, level) for c, a in zip(test, answers[floor], strict=True)]
                    for answers in found
                ]
                rows.append((metric, floor, size, *_over_cases(scores, test, study)))
    return pd.DataFrame(rows, columns=columns).sort_values(["metric", "answers by", "answers"], ignore_index=True)


def _over_cases(
    subsets: Sequence[Sequence[float]], test: Sequence[Case], study: Params
) -> tuple[float, float, float, list[float], int]:
    means = {case.id: fmean(values) for case, *values in zip(test, *subsets, strict=True)}
    found = stats.over_cases(means, {case.id: case.patient_id for case in test})
    ends = found.interval(study.ablation_confidence)
    return found.mean, *ends, [round(fmean(values), 4) for values in subsets], found.n


def _seen(train: Sequence[Case], study: Params) -> dict[str, int]:
    """Arms that SFT trained -> number of answers that it saw; those on a data-size axis left out."""
    seen = {}
    for arm in study.arms.keys() - axis.places(study).keys():
        P = params.for_arm(study, arm)
        if "02_sft" in TRAININGS[P.training]:
            seen[arm] = sum(bool(case.answer) for case in train[: P.sft_cases or None])
    return seen


def points(means: pd.DataFrame, train: Sequence[Case], study: Params) -> pd.DataFrame:
    """The arms that SFT trained, each with the number of ``answers`` that it saw; those on a data-size axis have lines
    of their own (`data_size`).

    Args:
        means: rows ``arm``, ``mean``, ``low``, ``high`` of a metric, as `ablation.arm_means`.
    """
    seen = _seen(train, study)
    trained = means[means["arm"].isin(list(seen))]
    return trained.assign(answers=trained["arm"].map(seen))


def findings(rows: pd.DataFrame, arms: pd.DataFrame, metric: str) -> Iterator[str]:
    """How arms stand to the line at as many answers, and how few reach as much: a sentence for those alike in it."""
    line = rows[(rows["metric"] == metric) & (rows["answers by"] == LINE)].sort_values("answers")
    alike: dict[tuple, list[dict]] = {}
    records = arms.to_dict("records") if len(line) else []
    most = max((len(arm["seeds"]) for arm in records), default=0)
    for arm in records:
        beside = line.iloc[(line["answers"] - arm["answers"]).abs().argmin()]
        reach = line.loc[line["mean"] >= arm["mean"], "answers"].min()
        side = "above" if arm["mean"] > beside["mean"] else "below"
        many = "none of these" if pd.isna(reach) else f"{reach:.0f} answers"
        stands = (
            f"{side} the line at {beside['answers']} answers, {ranged(beside)}; {LINE} reaches as much with {many}."
        )
        alike.setdefault((arm["answers"], stands), []).append(arm)
    for (answers, stands), part in alike.items():
        named = "; ".join(f"{arm['arm']} {ranged(arm)}{_few(arm, most)}" for arm in part)
        yield f"Trained on {answers} answers, {metric}: {named}: {stands}"


def _few(arm: Mapping[str, Any], most: int) -> str:
    """The number of an arm's seeds, where it has too few of them and others have more."""
    seeds = len(arm["seeds"])
    return f" ({stats.seeds_in_words(seeds)})" if seeds < min(most, stats.MIN_SEEDS) else ""
