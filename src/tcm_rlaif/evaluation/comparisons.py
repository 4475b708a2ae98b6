"""Differences between arms: what was declared, what was found over seeds and cases, and what may be said of it."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from tcm.metrics.intervals import ranged
from tcm_rlaif.evaluation import stats
from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.study import params
from tcm_rlaif.study.measures import MEASURES
from tcm_rlaif.study.schema import Params


def declared(study: Params) -> pd.DataFrame:
    """One row a question: what its difference shows, and whether it is in the family that is tested together."""
    tested = params.family(study)
    rows = [
        {"difference": " - ".join(pair), "shows": shows, "in the family": "yes" if pair in tested else "no"}
        for pair, shows in params.questions(study).items()
    ]
    return pd.DataFrame(rows)


def declaration(study: Params, applying: list[str]) -> str:
    """The sentences on what was declared before results.

    Args:
        applying: the declared metrics that apply to these cases.
    """
    questions, missing = len(params.family(study)), [key for key in study.ablation_primary if key not in applying]
    few = len(study.seeds) < stats.MIN_SEEDS
    return (
        f"Primary metrics: {'; '.join(f'`{key}` ({MEASURES[key].formula})' for key in applying)}. "
        + (f"Declared, but not applying to these cases: {', '.join(missing)}. " if missing else "")
        + f"The family is {questions} question(s) times {len(applying)} metric(s) = {questions * len(applying)} tests, "
        f"adjusted together (Holm) at a level of {1 - study.ablation_confidence:.2g}. "
        + (
            f"This study has {len(study.seeds)} seed(s). Below {stats.MIN_SEEDS} the randomness of training cannot be "
            "told, so **every verdict here is exploratory**."
            if few
            else "*Higher* or *lower* is said only where the interval over seeds and cases excludes 0 and the adjusted "
            "p is below the level."
        )
    )


def paired(tables: Mapping[str, pd.DataFrame], study: Params, a: str, b: str, key: str) -> pd.DataFrame:
    """The differences of two arms on a metric, seeds that both have x cases.

    An arm that no seed can change stands beside every seed of the other.
    """
    first, second = (stats.matrix(tables[arm], key) for arm in (a, b))
    if not any(params.unchanging(study, arm) for arm in (a, b)):
        first, second = first.align(second, join="inner", axis="index")
    return stats.difference(first, second)


def compared(evidence: Evidence, study: Params, a: str, b: str, key: str) -> stats.Estimate | None:
    """The difference of two arms on a metric, over the seeds that both have and cases; None where no case has it."""
    values = paired(evidence.tables, study, a, b, key)
    return stats.estimate(values, evidence.patient_of) if values.size else None


def comparisons(evidence: Evidence, study: Params) -> pd.DataFrame:
    """Every question on every metric shown, the declared family Holm-adjusted as one.

    Returns:
        `metric`, `arms`, `shows`, `difference` with its interval `low`, `high`, `seeds` (the effect of each), `n`
        cases, `p`, `p_holm` (of the declared family; missing elsewhere), `mdd` (minimum detectable difference, before
        the adjustment), `declared`, `exploratory`, and the `verdict`. An exploratory test counts in the family as one
        that shows nothing: its p, over too few seeds, is too small to ease what the others have to pass.
    """
    tested, confidence, rows = params.family(study), study.ablation_confidence, []
    for key in evidence.shown:
        for (a, b), shows in params.questions(study).items():
            if not (found := compared(evidence, study, a, b, key)):
                continue
            rows.append(
                {"metric": key, "arms": f"{a} - {b}", "shows": shows}
                | found.row("difference", confidence)
                | {"seeds": [round(v, 4) for v in found.by_seed.values()], "n": found.n, "p": found.p}
                | {"mdd": found.detectable(confidence), "declared": key in evidence.primary and (a, b) in tested}
                | {"exploratory": exploratory(study, a, b, len(found.by_seed))}
            )
    family = {i: 1.0 if row["exploratory"] else row["p"] for i, row in enumerate(rows) if row["declared"]}
    for i, row in enumerate(rows):
        row["p_holm"] = stats.holm(family | {i: row["p"]})[i] if i in family else None
        row["verdict"] = verdict(row, 1 - confidence)
    return pd.DataFrame(rows)


def exploratory(study: Params, a: str, b: str, seeds: int) -> bool:
    """Whether too few seeds stand behind a difference; two arms that no seed can change need no more than one."""
    return seeds < stats.MIN_SEEDS and not all(params.unchanging(study, arm) for arm in (a, b))


def verdict(row: dict[str, Any], level: float) -> str:
    """What may be said of a difference: plain words only for the declared family, over enough seeds."""
    if not row["declared"]:
        return "not declared: shown only"
    apart = (row["low"] > 0 or row["high"] < 0) and row["p_holm"] < level
    said = "no clear difference" if not apart else "higher" if row["difference"] > 0 else "lower"
    return f"{stats.seeds_in_words(len(row['seeds']))}: exploratory ({said} there)" if row["exploratory"] else said


def findings(table: pd.DataFrame) -> list[str]:
    """One sentence for each declared test."""
    if table.empty:
        return ["No two arms of this study can be compared."]
    return [
        f"{row['shows']} ({row['arms']}): {row['metric']} {ranged(row, 'difference', '+.3f')}, by seed "
        f"{' '.join(f'{v:+.3f}' for v in row['seeds'])}, n = {row['n']}, adjusted p "
        f"{_p(row['p_holm'])}{_detectable(row['mdd'])}: **{row['verdict']}**."
        for row in table[table["declared"]].to_dict("records")
    ]


def verdicts(table: pd.DataFrame) -> list[str]:
    """The declared tests by what was found: which differences, on which metrics."""
    if table.empty:
        return ["No two arms of this study can be compared."]
    said = []
    for found, part in table[table["declared"]].groupby("verdict", sort=False):
        pairs = [f"{arms} ({', '.join(of['metric'])})" for arms, of in part.groupby("arms", sort=False)]
        said.append(f"**{found}**: {'; '.join(pairs)}.")
    return said


def _p(value: float) -> str:
    return f"= {value:.3f}" if value >= 0.001 else "< 0.001"


def _detectable(mdd: float) -> str:
    return "" if pd.isna(mdd) else f", detectable from {mdd:.3f} unadjusted"


CONTROLS = {
    "preference_choice": ("random",),
    "pair_labels": ("shuffled", "flipped"),
    "judge": (("format",),),
    "judge_noise": (1.0,),
    "preference_training": ("sft_more",),
}
"""Key -> the values that make an arm a control: compute or data without what the judge says."""


def is_control(P: Params, keys: Iterable[str] = CONTROLS) -> bool:
    """Whether an arm is a control by one of these keys."""
    return any(getattr(P, key) in CONTROLS[key] for key in keys)


def controls(table: pd.DataFrame, study: Params) -> pd.DataFrame:
    """The differences on primary metrics in which one of the arms is a control."""
    arms = {
        arm
        for arm, difference in study.arms.items()
        if is_control(params.for_arm(study, arm), CONTROLS.keys() & difference)
    }
    if table.empty:
        return table
    asked = table["arms"].map(lambda pair: bool(arms & set(pair.split(" - "))))
    return table[asked & table["metric"].isin(study.ablation_primary)]
