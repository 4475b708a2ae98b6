"""The ablation: evidence of all arms and seeds, gathered and compared."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tcm import metrics
from tcm.cases import splits
from tcm_rlaif.evaluation import stats, tables
from tcm_rlaif.study import params
from tcm_rlaif.study.notebooks import TRAININGS
from tcm_rlaif.study.plan import ABLATION, STAGES, plan, study_folder
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.stage import DONE, Stage


@dataclass(frozen=True)
class Evidence:
    """Everything that the arms found.

    Args:
        scores: one row per arm, seed and test case, as of 05_evaluate.
        tables: arm, floor, attack or ``gold`` -> its rows (all seeds).
        facts: ``stage.json`` of base and data; labels, dpo: run folder -> ``stage.json`` of 03 and 04.
        primary: primary metrics that apply to these cases.
    """

    scores: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    facts: dict[str, dict]
    labels: dict[str, dict]
    dpo: dict[str, dict]
    primary: list[str]
    data_folder: Path


def collect(stage: Stage) -> Evidence:
    """Read what all evaluations of a study wrote."""
    parts = []
    for name, folder in stage.inputs.items():
        arm, seed = name.split("/seed")
        parts.append(tables.read_table(folder / "scores.jsonl").assign(arm=arm, seed=int(seed)))
    scores = pd.concat(parts, ignore_index=True)
    floors = tables.read_table(next(iter(stage.inputs.values())) / "floors.jsonl")
    by_name = {arm: scores[scores["arm"] == arm] for arm in stage.study.arms}
    by_name |= {str(name): part for name, part in floors.groupby("arm", sort=False)}
    found: dict[str, dict[str, dict]] = {s: {} for s in STAGES}
    for run in plan(stage.study):
        if run.stage != ABLATION:
            path = study_folder(stage.study) / run.folder / DONE
            found[run.stage][run.folder.split("/", 1)[1]] = json.loads(path.read_text("utf-8"))
    data_run = next(r for r in plan(stage.study) if r.stage == "01_data_prep")
    return Evidence(
        scores,
        by_name,
        {"base": next(iter(found["00_base_model"].values())), "data": next(iter(found["01_data_prep"].values()))},
        found["03_rlaif_labels"],
        found["04_dpo"],
        [k for k in metrics.PRIMARY if scores[k].notna().any()],
        study_folder(stage.study) / data_run.folder,
    )


def shown(evidence: Evidence) -> list[str]:
    """The metrics that get a figure: herbs, doses, labels, follow-up; those that apply."""
    return [k for k in ("herb_f1", "dose_overlap", "syndrome_f1", "followup_change_f1") if k in evidence.primary]


def arm_rows(study: Params) -> Iterator[dict[str, Any]]:
    """One row an arm: what trains, and what differs from the study."""
    for arm, difference in study.arms.items():
        P, changed = params.for_arm(study, arm), params.public(difference)
        yield {
            "arm": arm,
            "trains": " -> ".join(s[3:] for s in TRAININGS[P.training]) or "nothing",
            "difference": ", ".join(f"{k}: {v}" for k, v in changed.items()) or "none: the study itself",
        }


def main_table(evidence: Evidence) -> pd.DataFrame:
    """Primary metrics by arm, floor, attack and gold; cases averaged over seeds first, so n counts cases."""
    averaged = {name: _over_seeds(table) for name, table in evidence.tables.items()}
    return tables.primary_table(averaged, evidence.primary)


def _over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    return table.groupby("case_id").mean(numeric_only=True)


def arm_means(evidence: Evidence, key: str, study: Params) -> pd.DataFrame:
    """One metric by arm: mean over cases, its bootstrap interval, the mean of each seed, n cases."""
    rows = []
    for arm in study.arms:
        table = evidence.tables[arm]
        per_case = table.groupby("case_id")[key].mean().dropna()
        low, high = stats.interval(per_case, study.ablation_confidence, study.ablation_resamples)
        seeds = [round(float(v), 4) for v in table.groupby("seed")[key].mean()]
        rows.append({"arm": arm, "mean": per_case.mean(), "low": low, "high": high, "seeds": seeds, "n": len(per_case)})
    return pd.DataFrame(rows)


def floor_means(evidence: Evidence, key: str) -> dict[str, float]:
    """Mean of a metric for every floor that answers all the cases the metric applies to; others are not comparable.

    (Copying the previous prescription answers follow-up visits alone: it stands in the table by task.)
    """
    cases = evidence.tables["gold"][key].notna().sum()
    parts = {name: evidence.tables[name][key].dropna() for name in metrics.FLOORS if name in evidence.tables}
    return {name: float(values.mean()) for name, values in parts.items() if len(values) == cases}


def describe(rows: pd.DataFrame, key: str) -> str:
    """The alt text of an arms figure."""
    return f"{key} by arm: " + "; ".join(
        f"{r.arm} {r.mean:.2f} ({r.low:.2f} to {r.high:.2f})" for r in rows.itertuples()
    )


def comparisons(evidence: Evidence, study: Params) -> pd.DataFrame:
    """Paired differences for every question whose arms are in the study, Holm-adjusted within a metric."""
    rows = []
    for key in evidence.primary:
        cases = stats.case_means(evidence.scores, key)
        found = {}
        for (a, b), shows in params.questions(study).items():
            if {a, b} <= set(cases.columns):
                both = cases[[a, b]].dropna()
                if len(both):
                    test = stats.paired(both[a], both[b], study.ablation_confidence, study.ablation_resamples)
                    found[f"{a} - {b}"] = {"metric": key, "arms": f"{a} - {b}", "shows": shows, **test}
        adjusted = stats.holm({name: row["p"] for name, row in found.items()})
        rows += [{**row, "p_holm": adjusted[name]} for name, row in found.items()]
    return pd.DataFrame(rows)


def findings(table: pd.DataFrame, evidence: Evidence, study: Params) -> list[str]:
    """Sentences from the paired differences of the first primary metric, and how the arms stand to the floors."""
    if table.empty:
        return ["No two arms of this study can be compared."]
    key = table["metric"].iloc[0]
    said = []
    for row in table[table["metric"] == key].to_dict("records"):
        level = 1 - study.ablation_confidence
        verdict = "no clear difference" if row["p_holm"] > level else "higher" if row["difference"] > 0 else "lower"
        said.append(
            f"{row['shows']} ({row['arms']}): {key} {row['difference']:+.3f} "
            f"[{row['low']:+.3f}, {row['high']:+.3f}], n = {row['n']}, adjusted p = {row['p_holm']:.3g}: **{verdict}**."
        )
    best = max(floor_means(evidence, key).items(), key=lambda pair: pair[1], default=("none", float("-inf")))
    for arm in study.arms:
        mean = evidence.tables[arm].groupby("case_id")[key].mean().mean()
        if mean <= best[1]:
            said.append(f"{arm} ({mean:.3f}) does not beat the floor {best[0]} ({best[1]:.3f}) on {key}.")
    return said


def in_short(evidence: Evidence, study: Params) -> str:
    """The first paragraph of the report, from the numbers."""
    key = evidence.primary[0]
    means = "; ".join(f"{a} {evidence.tables[a].groupby('case_id')[key].mean().mean():.3f}" for a in study.arms)
    floors = "; ".join(f"{n} {v:.3f}" for n, v in floor_means(evidence, key).items())
    data, base = evidence.facts["data"], evidence.facts["base"]
    split = {row["split"]: row["cases"] for row in data["splits"]}
    invented = (
        "**invented** cases (no patient stands behind them)"
        if data["source"] == "invented"
        else f"cases of {data['source']}"
    )
    untrained = [name for name, dpo in evidence.dpo.items() if not dpo["pairs"]]
    overridden = [name for name, dpo in evidence.dpo.items() if dpo["gate_overridden"]]
    warning = f"\n\n**The judge's audit failed and was overridden** for {', '.join(overridden)}." if overridden else ""
    if untrained:
        warning += f"\n\n**No preference pair was left, and nothing trained,** in {', '.join(untrained)}."
    few = splits.too_few(
        *(min(n, limit or n) for n, limit in ((split["train"], study.sft_cases), (split["test"], study.eval_cases)))
    )
    if few:
        warning += f"\n\n**Too few cases for a finding:** {few}. Read this report as a trial run."
    return (
        f"**In short.** {split['train']} training, {split['validation']} validation and {split['test']} test "
        f"{invented}; base model `{base['model']}`, {base['parameters'] / 1e6:.1f} million parameters; "
        f"seeds {list(study.seeds)}.\n\n"
        f"Mean {key} on the test cases: {means}. Floors that need no model: {floors}.{warning}"
    )


def by_task(evidence: Evidence) -> pd.DataFrame:
    """The primary metrics of each arm and floor on first visits and on follow-up visits, with n."""
    rows = []
    for name, table in evidence.tables.items():
        for task, part in table.groupby("task"):
            means = part[evidence.primary].mean()
            rows.append({"answers by": name, "task": task, "n": part["case_id"].nunique(), **means})
    return pd.DataFrame(rows).set_index(["task", "answers by"]).sort_index(level=0, sort_remaining=False)


def training_rows(evidence: Evidence) -> pd.DataFrame:
    """One row per preference training: pairs, first loss and margin, and how it ended."""
    return pd.DataFrame(
        {
            "run": name,
            "pairs": dpo["pairs"],
            "chosen longer": dpo["chosen_longer"],
            "first loss": dpo["first"]["loss"],
            "first margin": dpo["first"]["margin"],
            "last margin": dpo["health"][-1]["margin"],
            "KL per token": dpo["health"][-1]["kl_per_token"],
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
