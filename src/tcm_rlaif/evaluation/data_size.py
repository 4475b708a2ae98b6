"""Ideas against plain SFT by the number of training answers: what stands above it at which size, and what it costs.

Every arm of a study with `sizes` stands at several numbers of answers. It is compared with plain SFT on the same
answers, the same test cases and the same seeds. These differences are shown, not tested, but for those that the params
file declares: so many would hold some that are clear by chance.
"""

from collections.abc import Iterator, Mapping
from statistics import fmean

import pandas as pd

from tcm_rlaif.evaluation import stats
from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.evaluation.comparisons import compared
from tcm_rlaif.study import axis, params
from tcm_rlaif.study.plan import find_run, study_folder
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.timings import states

PLAIN = "sft"
"""The name of plain SFT among the arms."""
ABOVE, UNCLEAR, BELOW = "above plain SFT", "no clear difference", "below plain SFT"
COLUMNS = ("idea", "answers", "mean", "low", "high", "seeds", "minutes", "difference", "from", "to", "stands",
           "declared")  # fmt: skip


def rows(evidence: Evidence, means: pd.DataFrame, key: str, study: Params) -> pd.DataFrame:
    """One row for each idea and number of answers.

    Args:
        means: rows ``arm``, ``mean``, ``low``, ``high``, ``seeds`` of the metric, as `ablation.arm_means`.
        key: the metric.

    Returns:
        The mean with its interval over seeds and cases, the number of seeds, mean ``minutes`` of its SFT without
        start-up; the ``difference`` from plain SFT with as many answers, its interval ``from``, ``to``, how it
        ``stands`` by that alone, and whether it is ``declared`` (its verdict is then that of the comparisons). No rows
        where the study has no `sizes`.
    """
    places, taken = axis.places(study), minutes(study)
    by_arm = {row["arm"]: row for row in means.to_dict("records")}
    found = []
    for arm, (idea, size) in places.items():
        row = {name: by_arm[arm][name] for name in ("mean", "low", "high")}
        row |= {"idea": idea, "answers": size, "seeds": len(by_arm[arm]["seeds"]), "minutes": taken.get(arm)}
        row["declared"] = False
        plain = f"{PLAIN}_{size}"
        if plain in places and idea != PLAIN and (gain := compared(evidence, study, arm, plain, key)):
            low, high = gain.interval(study.ablation_confidence)
            apart = gain.p < 1 - study.ablation_confidence  # an interval of no width proves nothing
            stands = ABOVE if apart and low > 0 else BELOW if apart and high < 0 else UNCLEAR
            row |= {"difference": gain.mean, "from": low, "to": high, "stands": stands}
            row["declared"] = (arm, plain) in params.family(study) and key in study.ablation_primary
        found.append(row)
    return pd.DataFrame(found).reindex(columns=list(COLUMNS))


def minutes(study: Params) -> Mapping[str, float]:
    """Arm -> mean minutes of its SFT over seeds, without the notebook's start; arms that were not timed left out."""
    taken = {row["run"]: row["seconds"] - row["overhead_seconds"] for row in states(study_folder(study))
             if "seconds" in row}  # fmt: skip
    found = {}
    for arm in axis.places(study):
        runs = {find_run(study, "02_sft", arm, seed).folder for seed in params.seeds_of(study, arm)}
        if timed := [taken[run] for run in sorted(runs) if run in taken]:
            found[arm] = fmean(timed) / 60
    return found


def findings(table: pd.DataFrame, key: str, few: int = stats.MIN_SEEDS) -> Iterator[str]:
    """For each number of answers a sentence: which ideas stand above plain SFT, which below, which neither; for each
    idea one on where; and one on chance.

    Each goes by its own interval: they are not adjusted together, and the sentences say so.
    """
    ideas = table.dropna(subset=["difference"])
    for size, part in ideas.groupby("answers"):
        told = [
            f"{stands}: " + ", ".join(f"{r.idea} ({r.difference:+.3f})" for r in of.itertuples())
            for stands in (ABOVE, UNCLEAR, BELOW)
            if len(of := part[part["stands"] == stands].sort_values("difference", ascending=False))
        ]
        note = "; declared: their adjusted verdicts stand with the comparisons" if part["declared"].all() else ""
        note += "; too few seeds: exploratory" if part["seeds"].min() < few else ""
        yield f"At {size} answers, {key}: {'; '.join(told)} (each by its own interval, not adjusted together{note})."
    plain = table[table["idea"] == PLAIN].set_index("answers")["minutes"]
    for idea, part in ideas.groupby("idea", sort=False):
        of = {
            stands: [str(size) for size in part.loc[part["stands"] == stands, "answers"]] for stands in (ABOVE, BELOW)
        }
        where = [f"{stands} at {', '.join(sizes)} answers" for stands, sizes in of.items() if sizes]
        ratio = (part.set_index("answers")["minutes"] / plain).dropna()
        ends = " to ".join(dict.fromkeys(f"{value:.1f}" for value in (ratio.min(), ratio.max())))
        cost = f" It takes {ends} times the minutes of plain SFT." if len(ratio) else ""
        yield f"{idea}: {'; '.join(where) or 'clearly apart from plain SFT at no number of answers'}.{cost}"
    if len(ideas):
        yield f"Of {len(ideas)} such intervals some may exclude 0 by chance alone (at 95 % about one in twenty)."


def describe(table: pd.DataFrame, key: str) -> str:
    """The alt text of the figure."""
    lines = (
        f"{idea} " + ", ".join(f"{r.answers}: {r.mean:.2f}" for r in part.sort_values("answers").itertuples())
        for idea, part in table.groupby("idea", sort=False)
    )
    return f"{key} by number of training answers: " + "; ".join(lines)
