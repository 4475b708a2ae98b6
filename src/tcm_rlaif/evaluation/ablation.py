"""The ablation: evidence of all arms and seeds, gathered and compared."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tcm import metrics
from tcm.cases import read_split
from tcm.metrics.intervals import wilson
from tcm_rlaif.evaluation import judging, stats, tables
from tcm_rlaif.study import params
from tcm_rlaif.study.measures import JUDGE_SCORES, MEASURES
from tcm_rlaif.study.notebooks import TRAININGS
from tcm_rlaif.study.plan import ABLATION, PROBES, STAGES, StageError, plan, study_folder
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.stage import DONE, Stage

SHOWN = (*metrics.PRIMARY, "formula_f1", "usable", *(m.key for m in JUDGE_SCORES))
FIGURES = ("dose_overlap", "followup_change_f1")


@dataclass(frozen=True)
class Evidence:
    """Everything that the arms found.

    Args:
        scores: one row per arm, seed and test case, as of 05_evaluate.
        tables: arm, floor, attack or ``gold`` -> its rows (all seeds).
        facts: ``stage.json`` of base and data; labels, dpo, evaluations: run folder -> ``stage.json`` of 03, 04 and 05.
        primary: declared primary metrics that apply to these cases.
        shown: the primary ones and the others that tables show, those that apply.
    """

    scores: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    facts: dict[str, dict]
    labels: dict[str, dict]
    dpo: dict[str, dict]
    evaluations: dict[str, dict]
    primary: list[str]
    shown: list[str]
    data_folder: Path

    @property
    def patient_of(self) -> dict[str, str]:
        """Case id -> patient: visits of one patient are one unit of the test."""
        return dict(zip(self.scores["case_id"], self.scores["patient_id"], strict=True))

    def mean(self, arm: str, key: str) -> float:
        """Mean of a metric over the cases of an arm or floor, seeds first; NaN where it does not apply."""
        return float(self.tables[arm].groupby("case_id")[key].mean().mean())


def collect(stage: Stage) -> Evidence:
    """Read what all evaluations of a study wrote."""
    parts = []
    for name, folder in stage.inputs.items():
        arm, seed = name.split("/seed")
        parts.append(tables.read_table(folder / "scores.jsonl").assign(arm=arm, seed=int(seed)))
    scores = pd.concat(parts, ignore_index=True)
    floors = tables.read_table(next(iter(stage.inputs.values())) / "floors.jsonl")
    data_run = next(r for r in plan(stage.study) if r.stage == "01_data_prep")
    data_folder = study_folder(stage.study) / data_run.folder
    training_cases, test = read_split(data_folder, "train"), read_split(data_folder, "test")
    by = judging.judges(stage.study, training_cases)
    if {*scores[judging.JUDGED_BY], *floors[judging.JUDGED_BY]} != {judging.signature(by)}:
        # one more arm, or another key of the study, can change its judges after answers were scored
        scores, floors = judging.judged(scores, test, by), judging.judged(floors, test, by)
    primary = [key for key in stage.study.ablation_primary if scores[key].notna().any()]
    if not primary:
        raise StageError(f"ablation_primary: none of {', '.join(stage.study.ablation_primary)} applies to these cases")
    by_name = {arm: scores[scores["arm"] == arm] for arm in stage.study.arms}
    by_name |= {str(name): part for name, part in floors.groupby("arm", sort=False)}
    learned, answered = training_cases[: stage.study.sft_cases or None], test[: stage.study.eval_cases or None]
    attacks = tables.attacks(learned, answered).reindex(columns=floors.columns)  # no judge reads them
    by_name |= {str(name): part for name, part in attacks.groupby("arm", sort=False)}
    found: dict[str, dict[str, dict]] = {s: {} for s in STAGES}
    for run in plan(stage.study):
        if run.stage not in (ABLATION, PROBES):
            path = study_folder(stage.study) / run.folder / DONE
            found[run.stage][run.folder.split("/", 1)[1]] = json.loads(path.read_text("utf-8"))
    return Evidence(
        scores,
        by_name,
        {"base": next(iter(found["00_base_model"].values())), "data": next(iter(found["01_data_prep"].values()))},
        found["03_rlaif_labels"],
        found["04_dpo"],
        found["05_evaluate"],
        primary,
        [key for key in dict.fromkeys((*primary, *SHOWN)) if scores[key].notna().any()],
        data_folder,
    )


def first_seed(found: dict[str, dict]) -> dict[str, dict]:
    """Of what stands there for each run (``arm/seed0``), the first seed of each arm."""
    first: dict[str, str] = {}
    for name in found:
        first.setdefault(name.split("/")[0], name)
    return {name: found[name] for name in first.values()}


def beaten(evidence: Evidence) -> list[str]:
    """Attacks that beat the gold answers on a metric, which could not be trusted then. Judges do not read attacks."""
    return [
        f"{attack} on {key}"
        for attack in metrics.ATTACKS
        for key in metrics.PRIMARY
        if evidence.mean(attack, key) > evidence.mean("gold", key)
    ]


def figures(evidence: Evidence) -> list[str]:
    """The metrics that get a figure of their own: the primary ones, doses, follow-up; those that apply."""
    return list(dict.fromkeys((*evidence.primary, *(k for k in FIGURES if k in evidence.shown))))


def arm_rows(study: Params) -> Iterator[dict[str, Any]]:
    """One row an arm: what trains, and what differs from the study."""
    for arm, difference in study.arms.items():
        P, changed = params.for_arm(study, arm), params.public(difference)
        yield {
            "arm": arm,
            "trains": " -> ".join(s[3:] for s in TRAININGS[P.training]) or "nothing",
            "difference": ", ".join(f"{k}: {v}" for k, v in changed.items()) or "none: the study itself",
        }


def main_table(evidence: Evidence, keys: Sequence[str]) -> pd.DataFrame:
    """Metrics by arm, floor, attack and gold; cases averaged over seeds first, so n counts cases."""
    averaged = {name: _over_seeds(table) for name, table in evidence.tables.items()}
    return tables.primary_table(averaged, keys)


def _over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    return table.groupby("case_id").mean(numeric_only=True)


def arm_means(evidence: Evidence, key: str, study: Params, names: Sequence[str] = ()) -> pd.DataFrame:
    """One metric by arm: mean, its interval over seeds and cases, the mean of each seed, n cases.

    Where every value is 0, or every one 1, the interval is that of a share (`wilson`) over patients.

    Args:
        names: arms, and floors, of which no seed changes an answer; empty: all arms.
    """
    rows, limits = [], MEASURES[key]
    for arm in names or study.arms:
        table = evidence.tables[arm]
        scores = table if "seed" in table else table.assign(seed=0)
        found = stats.estimate(stats.matrix(scores, key), evidence.patient_of)
        low, high = found.interval(study.ablation_confidence)
        if (
            not found.se and (limits.low, limits.high) == (0, 1) and found.mean in (0, 1)
        ):  # none or all of them: rare is not never
            low, high = wilson(found.patients * int(found.mean), found.patients, study.ablation_confidence)
        low, high = max(low, limits.low), min(high, math.inf if limits.high is None else limits.high)
        seeds = [round(mean, 4) for mean in found.by_seed.values()]
        rows.append({"arm": arm, "mean": found.mean, "low": low, "high": high, "seeds": seeds, "n": found.n})
    return pd.DataFrame(rows)


def describe(rows: pd.DataFrame, key: str) -> str:
    """The alt text of an arms figure."""
    return f"{key} by arm: " + "; ".join(
        f"{r.arm} {r.mean:.2f} ({r.low:.2f} to {r.high:.2f})" for r in rows.itertuples()
    )


def kept_reading(dpo: Mapping[str, Any]) -> dict[str, Any]:
    """The health panel's reading of the weights that a preference training ended with, be it after it fell back."""
    step = dpo["fell_back_to_step"]
    return dpo["health"][-1] if step is None else next(row for row in dpo["health"] if row["step"] == step)


def training_rows(evidence: Evidence) -> pd.DataFrame:
    """One row per preference training: pairs, first loss and margin, and how it ended."""
    return pd.DataFrame(
        {
            "run": name,
            "pairs": dpo["pairs"],
            "chosen longer": dpo["chosen_longer"],
            "first loss": dpo["first"]["loss"],
            "first margin": dpo["first"]["margin"],
            "last margin": kept_reading(dpo)["margin"],
            "KL per token": kept_reading(dpo)["kl_per_token"],
            "fell back to step": dpo["fell_back_to_step"],
        }
        for name, dpo in evidence.dpo.items()
    )


def side_by_side(evidence: Evidence) -> Iterator[tuple[str, pd.DataFrame]]:
    """Three test cases with the answers of the physician and of every arm's first seed."""
    arms = list(dict.fromkeys(evidence.scores["arm"]))
    first = {arm: t[t["seed"] == t["seed"].min()].set_index("case_id") for arm, t in evidence.scores.groupby("arm")}
    key = evidence.primary[0]
    ranked = first[arms[-1]][key].dropna().sort_values(ascending=False).index
    gold = evidence.tables["gold"].set_index("case_id")
    for case_id in dict.fromkeys((ranked[0], ranked[len(ranked) // 2], ranked[-1])):
        rows = [{"answers by": "gold", key: gold.loc[case_id, key], "answer": gold.loc[case_id, "text"]}]
        rows += [
            {"answers by": arm, key: first[arm].loc[case_id, key], "answer": first[arm].loc[case_id, "text"]}
            for arm in arms
        ]
        yield case_id, pd.DataFrame(rows)


def all_metrics(evidence: Evidence) -> pd.DataFrame:
    """Every metric by arm, metrics as rows; mean over cases."""
    arms = dict.fromkeys(evidence.scores["arm"])
    means = {arm: tables.summary(_over_seeds(evidence.tables[arm])) for arm in arms}
    return pd.DataFrame({arm: {k: v["mean"] for k, v in m.items()} for arm, m in means.items()}).rename_axis("metric")
