"""Feature density of training subsets: could a data-size curve have been foretold from the texts alone?

A subset of few cases repeats itself little: of its features many are distinct. As cases are added the share of distinct
ones falls, and how fast it falls says how much is still new. The idea is to train fewer models: fit the score on the
density of some subsets and foretell the rest.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from tcm.cases import Case
from tcm.knowledge import resolve_herb
from tcm.knowledge.matching import findings_text, signs_found
from tcm_rlaif.study import axis, params
from tcm_rlaif.study.notebooks import TRAININGS
from tcm_rlaif.study.schema import Params

FEATURES = ("characters", "findings", "herbs")
PREDICTORS = (*FEATURES, "answers")
"""What a curve is foretold from: density of a kind of feature, or only the number of answers (its logarithm)."""
FEWEST_SIZES = 3
"""Below so many sizes nothing is left to foretell one from the others: a line needs two points."""


def features(case: Case) -> dict[str, list[str]]:
    """The features of a case by kind, each as often as it occurs: characters, signs of the tables, base herbs."""
    text = findings_text(case)
    herbs = case.answer.herbs if case.answer else ()
    return {
        "characters": [c for c in text if c.isalnum()],
        "findings": sorted(signs_found(text)),
        "herbs": [known.base if (known := resolve_herb(herb)) else herb for herb in herbs],
    }


def density(cases: Sequence[Case]) -> dict[str, float]:
    """Distinct features over all features of a subset, by kind; NaN where there are none.

    Source:
        Feature density, arXiv 2111.01689, there over words and their grammatical forms; the three kinds are our choice.
    """
    of_cases = [features(case) for case in cases]
    found = {}
    for kind in FEATURES:
        every = [feature for one in of_cases for feature in one[kind]]
        found[kind] = len(set(every)) / len(every) if every else math.nan
    return found


def curves(results: Mapping[str, Any], study: Params, train: Sequence[Case], metric: str) -> pd.DataFrame:
    """The points of every data-size curve of a study: arms that differ in `sft_cases` and in nothing else.

    Args:
        results: of the finished study (`results.json`).
        train: all training cases of the study, in its order.
        metric: of the answers.

    Returns:
        `curve` (the idea of a study with `sizes`, else the arm whose answers are most), `arm`, `answers`, a density for
        each of `FEATURES`, `score` and `half` (half the width of its interval); a curve has at least two sizes. No row
        where a study has one size.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    ideas = axis.places(study)
    for arm in study.arms:
        P = params.for_arm(study, arm)
        subset = [case for case in train[: P.sft_cases or None] if case.answer]
        if "02_sft" not in TRAININGS[P.training] or not subset or not (score := results["arms"][arm].get(metric)):
            continue
        alike = P.model_dump(mode="json", exclude={"sft_cases", "arms"})
        row = {"arm": arm, "answers": len(subset), **density(subset), "score": score["mean"]}
        rows.setdefault(str(alike), []).append(row | {"half": (score["high"] - score["low"]) / 2})
    found = []
    for part in rows.values():
        part = sorted(part, key=lambda row: row["answers"])
        if len({row["answers"] for row in part}) > 1:
            last = part[-1]["arm"]
            found += [{"curve": ideas.get(last, (last,))[0], **row} for row in part]
    return pd.DataFrame(found, columns=["curve", "arm", "answers", *FEATURES, "score", "half"])


def foretold(points: pd.DataFrame) -> pd.DataFrame:
    """Each size's score, foretold by a line through the other sizes of its curve.

    Args:
        points: of one curve, as `curves`.

    Returns:
        One row a size and predictor: `predictor`, `answers`, `score`, `foretold`, `error` (absolute), `half`; no row
        below `FEWEST_SIZES` sizes.

    Source:
        Leave one out; least squares on one predictor. Our choice.
    """
    rows = []
    for predictor in PREDICTORS if len(points) >= FEWEST_SIZES else ():
        x = np.log(points["answers"]) if predictor == "answers" else points[predictor]
        x, y = x.to_numpy(float), points["score"].to_numpy(float)
        for i in range(len(points)):
            others = np.arange(len(points)) != i
            if not np.isfinite(x).all() or np.ptp(x[others]) == 0:
                continue
            slope, start = np.polyfit(x[others], y[others], 1)
            told = float(start + slope * x[i])
            size, half = int(points["answers"].iloc[i]), float(points["half"].iloc[i])
            rows.append((predictor, size, float(y[i]), told, abs(told - float(y[i])), half))
    return pd.DataFrame(rows, columns=["predictor", "answers", "score", "foretold", "error", "half"])


def skill(points: pd.DataFrame) -> pd.DataFrame:
    """How well each predictor foretells each curve.

    Returns:
        `curve`, `predictor`, `rank correlation` (Spearman) with the score, `error` (mean absolute, leaving one size
        out; missing below `FEWEST_SIZES`), `skippable`: sizes whose score was foretold to within half its interval, so
        that running them told nothing new.
    """
    rows = []
    for curve, part in points.groupby("curve", sort=False):
        told = foretold(part)
        for predictor in PREDICTORS:
            mine = told[told["predictor"] == predictor]
            sizes = mine.loc[mine["error"] <= mine["half"], "answers"].tolist()
            varies = part[predictor].nunique() > 1 and part["score"].nunique() > 1
            rank = float(spearmanr(part[predictor], part["score"]).statistic) if varies else math.nan
            rows.append({"curve": curve, "predictor": predictor, "rank correlation": rank,
                         "error": float(mine["error"].mean()), "skippable": sizes})  # fmt: skip
    return pd.DataFrame(rows, columns=["curve", "predictor", "rank correlation", "error", "skippable"])


def sentences(points: pd.DataFrame, skills: pd.DataFrame) -> list[str]:
    """What density foretold, in sentences; one sentence where there is nothing to foretell."""
    if points.empty:
        return ["This study has one size of training data, so there is no curve to foretell (`sft_cases` of arms)."]
    alike: dict[tuple[str, ...], list[tuple[str, float, float]]] = {}
    for curve, part in skills.groupby("curve", sort=False):
        sizes = ", ".join(map(str, points.loc[points["curve"] == curve, "answers"]))
        known = part.dropna(subset="error").set_index("predictor")
        if known.empty or "answers" not in known.index:
            alike.setdefault((sizes,), []).append((curve, math.nan, math.nan))
            continue
        best = known["error"].idxmin()
        words = "the number of answers alone" if best == "answers" else f"the density of {best}"
        skipped = ", ".join(map(str, known.loc[best, "skippable"])) or "none"
        errors = (known.loc[best, "error"], known.loc["answers", "error"])
        alike.setdefault((sizes, words, skipped), []).append((curve, *errors))
    return [_sentence(key, curves) for key, curves in alike.items()]


def _sentence(key: tuple[str, ...], curves: Sequence[tuple[str, float, float]]) -> str:
    """What holds of all these curves, each with its mean error and that of the number of answers alone."""
    names = ", ".join(name for name, _, _ in curves)
    if len(key) == 1:
        return f"{names}, sizes {key[0]}: too few to foretell one from the others."
    error, plain = (
        f"{min(of):.3f}" + (f" to {max(of):.3f}" if len(of) > 1 else "") for of in list(zip(*curves, strict=True))[1:]
    )
    return (
        f"{names}, sizes {key[0]}: {key[1]} foretells best (mean error {error}; the number of answers alone {plain}). "
        f"Sizes that the other ones foretell to within half the interval, so that their runs could have been skipped, "
        f"one at a time: {key[2]}."
    )
