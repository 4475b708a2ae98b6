"""How arms stand to the floors, task by task: copying the last prescription is a floor of follow-up visits alone.

Two kinds of floor are kept apart. `expert_rule` and `expert` know what a computed judge knows, so they are the height
to which its feedback could lift an answer; the others need no more than the training answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from tcm import metrics
from tcm.cases import splits
from tcm_rlaif.evaluation import ablation, stats
from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.study import axis, params
from tcm_rlaif.study.schema import Params

KNOWING = ("expert_rule", "expert")
"""Floors that know what the judge knows."""
PLAIN = tuple(name for name in metrics.FLOORS if name not in KNOWING)
COMBINED = "best_per_task"
TASKS = {"first_visit": "first visits", "follow_up_visit": "follow-up visits"}
BEATS, UNCLEAR, BELOW = "beats it", "no clear difference", "below it"


def floor_means(evidence: Evidence, key: str) -> dict[str, float]:
    """Mean of a metric for every floor that answers all its cases, and for the best plain floor of each task together.

    Copying the previous prescription answers follow-up visits alone: it counts in the last, and stands in the table
    by task.
    """
    cases = evidence.tables["gold"][key].notna().sum()
    parts = {name: evidence.tables[name][key].dropna() for name in metrics.FLOORS if name in evidence.tables}
    means = {name: float(values.mean()) for name, values in parts.items() if len(values) == cases}
    best = [found for task in TASKS if (found := best_floor(evidence, key, task, PLAIN))]
    if means and sum(n for *_, n in best) == cases:
        means[COMBINED] = sum(value * n for _, value, n in best) / cases
    return means


def best_floor(evidence: Evidence, key: str, task: str, names: tuple[str, ...]) -> tuple[str, float, int] | None:
    """Name, mean and cases of the best of some floors that answer all cases of a task; None where there is none."""
    cases = len(_of_task(evidence.tables["gold"], key, task))
    parts = {name: _of_task(evidence.tables[name], key, task) for name in names if name in evidence.tables}
    means = {name: float(part[key].mean()) for name, part in parts.items() if len(part) == cases > 0}
    if not means:
        return None
    name = max(means, key=means.__getitem__)
    return name, means[name], cases


def _of_task(table: pd.DataFrame, key: str, task: str) -> pd.DataFrame:
    """The rows of a task that a metric applies to."""
    return table[(table["task"] == task) & table[key].notna()]


def rows(evidence: Evidence, study: Params) -> list[dict[str, Any]]:
    """For each task and kind of floor, how every arm stands to the best one on the first primary metric.

    Returns:
        `task`, `floor` (its name), `knows` (whether it knows what the judge knows), `value` of the floor, `n` cases,
        `metric`, `arm`, `mean` of the arm, its `difference` from the floor with `low` and `high`, how it `stands`.
    """
    key, found = evidence.primary[0], []
    for task in TASKS:
        for names, knows in ((PLAIN, False), (KNOWING, True)):
            if best := best_floor(evidence, key, task, names):
                shared = dict(zip(("floor", "value", "n"), best, strict=True)) | {"metric": key, "knows": knows}
                for arm in axis.told(study):
                    mean = float(_of_task(evidence.tables[arm], key, task)[key].mean())
                    row = {"task": task, **shared, "arm": arm, "mean": mean}
                    found.append(row | _against(evidence, study, arm, best[0], key, task))
    return found


def sentences(evidence: Evidence, study: Params) -> list[str]:
    """For each task, how every arm stands to the best plain and the best knowing floor on the first primary metric."""
    of_all = [arm for arm in axis.told(study) if arm not in study.arm_seeds] or study.arms
    seeds = min(len(params.seeds_of(study, arm)) for arm in of_all)
    own = {arm: stats.seeds_in_words(len(own)) for arm, own in study.arm_seeds.items()}
    return said_of(rows(evidence, study), own, seeds)


def said_of(found: Sequence[Mapping[str, Any]], fewer: Mapping[str, str], seeds: int) -> list[str]:
    """A sentence for each task and kind of floor.

    Args:
        found: as of `rows`; those of a published study as they stand in its `results.json`.
        fewer: arm -> the number of its seeds in words, where it is told.
        seeds: of the other arms; too few make all exploratory.
    """
    few = f" ({seeds} seed(s): exploratory)" if seeds < stats.MIN_SEEDS else ""
    groups: dict[tuple[str, bool], list[Mapping[str, Any]]] = {}
    for row in found:
        groups.setdefault((row["task"], row["knows"]), []).append(row)
    said = []
    for (task, knows), of in groups.items():
        stand: dict[str, list[str]] = {BEATS: [], UNCLEAR: [], BELOW: []}
        for row in of:
            few_of_it = f", {fewer[row['arm']]}" if row["arm"] in fewer else ""
            stand[_stands(row)].append(f"{row['arm']} ({row['mean']:.3f}{few_of_it})")
        told = "; ".join(f"{how}: {', '.join(arms)}" for how, arms in stand.items() if arms)
        kind, first = " that knows what the judge knows" if knows else "", of[0]
        said.append(
            f"On {TASKS[task]} (n = {first['n']}) the best floor{kind} is {first['floor']} "
            f"({first['metric']} {first['value']:.3f}); {told}{few}."
        )
    return said


def _stands(row: Mapping[str, Any]) -> str:
    return BEATS if row["low"] > 0 else BELOW if row["high"] < 0 else UNCLEAR


def _against(evidence: Evidence, study: Params, arm: str, floor: str, key: str, task: str) -> dict[str, Any]:
    """An arm minus a floor, which no seed changes, on the cases of a task, with its interval, and how it stands."""
    own, other = (_of_task(evidence.tables[name], key, task) for name in (arm, floor))
    values = stats.difference(stats.matrix(own, key), stats.matrix(other.assign(seed=0), key))
    found = stats.estimate(values, evidence.patient_of)
    row = found.row("difference", study.ablation_confidence)
    return row | {"stands": _stands(row)}


def by_task(evidence: Evidence) -> pd.DataFrame:
    """The metrics shown of each arm and floor on first visits and on follow-up visits, with n."""
    rows = []
    for name, table in evidence.tables.items():
        for task, part in table.groupby("task"):
            means = part[evidence.shown].astype(float).mean()
            rows.append({"answers by": name, "task": task, "n": part["case_id"].nunique(), **means})
    return pd.DataFrame(rows).set_index(["task", "answers by"]).sort_index(level=0, sort_remaining=False)


def tasks(evidence: Evidence, study: Params) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, float]]]:
    """The first primary metric on each task that has cases.

    Returns:
        Metric and task in words -> rows as of `ablation.arm_means`; and -> the best plain floor and the best that
        knows what the judge knows, with their means.
    """
    means, floors, key = {}, {}, evidence.primary[0]
    for task, words in TASKS.items():
        if n := len(_of_task(evidence.tables["gold"], key, task)):
            head = f"{key}, {words} (n = {n})"
            asked = replace(evidence, tables={name: _of_task(t, key, task) for name, t in evidence.tables.items()})
            means[head] = ablation.arm_means(asked, key, study)
            both = (best_floor(evidence, key, task, names) for names in (PLAIN, KNOWING))
            floors[head] = {name: value for name, value, _ in filter(None, both)}
    return means, floors


def setting(evidence: Evidence, study: Params) -> str:
    """Cases, model and seeds in a sentence."""
    data, base = evidence.facts["data"], evidence.facts["base"]
    split = {row["split"]: row["cases"] for row in data["splits"]}
    invented = (
        "**invented** cases (no patient stands behind them)"
        if data["source"] == "invented"
        else f"cases of {data['source'].replace('own', 'your own records')}"
    )
    return (
        f"{split['train']} training, {split['validation']} validation and {split['test']} test "
        f"{invented}; base model `{base['model']}`, {base['parameters'] / 1e6:.1f} million parameters; "
        f"seeds {list(study.seeds)}."
    )


def warnings(evidence: Evidence, study: Params) -> str:
    """What a reader must know before any number: an overridden audit, arms that did not train, too few cases."""
    split = {row["split"]: row["cases"] for row in evidence.facts["data"]["splits"]}
    untrained = [name for name, dpo in evidence.dpo.items() if not dpo["rows"]]
    overridden = [name for name, dpo in evidence.dpo.items() if dpo["gate_overridden"]]
    said = [f"**The judge's audit failed and was overridden** for {', '.join(overridden)}."] if overridden else []
    if untrained:
        said.append(f"**Nothing was left to train on, and nothing trained,** in {', '.join(untrained)}.")
    few = splits.too_few(
        *(min(n, limit or n) for n, limit in ((split["train"], study.sft_cases), (split["test"], study.eval_cases)))
    )
    if few:
        said.append(f"**Too few cases for a finding:** {few}. Read this report as a trial run.")
    return "\n\n".join(said)
