"""`results.json`: every number that a text or a table of a study shows, and what the study cost."""

import hashlib
import json
import math
import platform
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from tcm.files import write_json
from tcm_rlaif.evaluation import ablation, comparisons, frontier, known, rounding, standing, tables
from tcm_rlaif.report import safety, training_health
from tcm_rlaif.study import params, stage
from tcm_rlaif.study.hardware import hardware, said
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.plan import plan, study_folder
from tcm_rlaif.study.schema import Params

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "papermill")
OVER = {True: "seeds and cases", False: "cases alone (one seed)"}


def _timings(study: Params) -> list[dict[str, Any]]:
    """`timing.json` of every run of the study that ended, with its stage."""
    paths = {study_folder(study) / run.folder / "timing.json": run.stage for run in plan(study)}
    return [{"stage": name, **json.loads(p.read_text("utf-8"))} for p, name in paths.items() if p.exists()]


def cost(study: Params) -> pd.DataFrame:
    """Seconds by stage: runs, sum, share of fixed overhead, largest memory."""
    rows = _timings(study)
    if not rows:
        return pd.DataFrame(columns=["stage", "runs", "seconds", "overhead share", "peak MiB"])
    grouped = pd.DataFrame(rows).groupby("stage")
    table = grouped.agg(
        runs=("seconds", "size"),
        seconds=("seconds", "sum"),
        overhead=("overhead_seconds", "sum"),
        peak=("peak_mib", "max"),
    ).reset_index()
    total = {"stage": "all", **table.drop(columns=["stage", "peak"]).sum(), "peak": table["peak"].max()}
    table = pd.concat([table, pd.DataFrame([total])], ignore_index=True)
    table["overhead"] = table["overhead"] / table["seconds"]
    return table.rename(columns={"overhead": "overhead share", "peak": "peak MiB"})


def side_by_side(study: Params) -> dict[str, float]:
    """What the study took as a whole, with runs side by side.

    Returns:
        `wall_seconds` in which at least one notebook ran (pauses of an interrupted study do not count), and
        `memory_mib`, the largest sum of the peaks of runs that ran at the same time: an upper bound.
    """
    runs = [
        (datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"]), row["peak_mib"])
        for row in _timings(study)
    ]
    wall, reached = timedelta(), datetime.min.replace(tzinfo=UTC)
    for start, end, _ in sorted(runs):
        wall += max(timedelta(), end - max(start, reached))
        reached = max(reached, end)
    memory = (sum(peak for start, end, peak in runs if start <= moment < end) for moment, _, _ in runs)
    return {"wall_seconds": wall.total_seconds(), "memory_mib": max(memory, default=0)}


def machines(study: Params) -> dict[str, int]:
    """What its notebooks ran on (`hardware.machine`) -> how many of them."""
    return dict(Counter(row["machine"] for row in _timings(study) if "machine" in row).most_common())


def trained_until(study: Params) -> str | None:
    """The day (UTC) on which the last of its models was trained; None where none was."""
    ends = (row["end"] for row in _timings(study) if row["stage"] in ("02_sft", "04_dpo"))
    return max(ends, default="")[:10] or None


def gather(evidence: ablation.Evidence, study: Params, table: pd.DataFrame, costs: pd.DataFrame) -> dict[str, Any]:
    """Every number that a text or table of this study shows."""
    by_arm = {key: ablation.arm_means(evidence, key, study).set_index("arm") for key in evidence.shown}
    return {
        "study": study.study,
        "params": params.differences(study),
        "all_params": params.public(study.model_dump(mode="json")),  # defaults change, a study shall not
        "seeds": list(study.seeds),
        "machine": {**hardware(), "python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "machines": machines(study),
        "commit": _commit(),
        "trained_until": trained_until(study),
        "data": {
            k: evidence.facts["data"][k]
            for k in ("source", "funnel", "splits", "groups", "unseen_test", "herbs_resolved", "hardness")
        }
        | {"order": "by lot"},  # `splits.by_lot`; results without it learned from the first cases of a file
        "base": {k: evidence.facts["base"][k] for k in ("model", "parameters", "vocabulary", "last_loss", "dtype")},
        "declared": {
            "primary": evidence.primary,
            "family": [" - ".join(pair) for pair in sorted(params.family(study))],
            "said": comparisons.declaration(study, evidence.primary),
        },
        "intervals": f"{study.ablation_confidence:.0%} intervals over {OVER[len(study.seeds) > 1]}",
        "arms": {arm: {key: means.loc[arm].to_dict() for key, means in by_arm.items()} for arm in study.arms},
        "floors": {
            name: {k: v for k, v in tables.summary(part).items() if k in evidence.shown}
            for name, part in evidence.tables.items()
            if name not in study.arms
        },
        "all_metrics": ablation.all_metrics(evidence).to_dict(),
        "comparisons": table.to_dict("records"),
        "standing": standing.rows(evidence, study),
        "starts": known.starts(study),
        "lines": {key: standing.floor_means(evidence, key) for key in ablation.figures(evidence)},
        "findings": [*comparisons.findings(table), *standing.sentences(evidence, study)],
        "rounding": rounding.sentence(rounding.measured()),
        "safety": tables.safety_table(evidence.tables).reset_index().to_dict("records"),
        "safety_excess": safety.excess(evidence, study).to_dict("records"),
        "doses": safety.doses(evidence).reset_index().to_dict("records"),
        "faults": tables.faults_table(evidence.tables).reset_index().to_dict("records"),
        "collapse": tables.collapse_table(evidence.tables).reset_index().to_dict("records"),
        "frontier": frontier.points(evidence).to_dict("records"),
        "judge": {
            name: {k: v[k] for k in ("detection", "readings", "physicians", "gate", "preflight", "counts", "cost")}
            for name, v in evidence.labels.items()
        },
        "made_with": {
            "src": stage.source_hash(),
            "knowledge_tables": knowledge_hash(),
            "runs": stage.made_with(study),
        },
        "dpo": ablation.training_rows(evidence).to_dict("records"),
        "health": training_health.verdicts(evidence.dpo).to_dict("records"),
        "cost": costs.to_dict("records"),
        "side_by_side": side_by_side(study),
    }


def manifest(values: dict[str, Any]) -> pd.DataFrame:
    """What the study was made with: commit, code, knowledge tables, machine, versions."""
    made = {"commit": values["commit"] or "none: not a clone", "code under src": values["made_with"]["src"]}
    made |= {"knowledge tables": values["made_with"].get("knowledge_tables", "–")}  # older results do not say
    rows = made | {"base model": values["base"]["model"], **values["machine"]}
    rows["gpu"] = ", ".join(rows["gpu"]) or "none"
    rows["notebooks ran on"] = ", ".join(f"{name}: {number}" for name, number in values["machines"].items()) or "–"
    return pd.DataFrame([{"what": name, "value": str(value)} for name, value in rows.items()])


def knowledge_hash() -> str:
    """Hash of the knowledge tables alone, to tell whether two studies knew the same, whatever code they ran.

    It is the beginning of what `cat src/tcm/knowledge/*.tsv | sha256sum` prints, files in the order of their bytes.
    """
    tables = sorted((ROOT / "src" / "tcm" / "knowledge").glob("*.tsv"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in tables)).hexdigest()[:16]


def _commit() -> str | None:
    """The commit of this project, marked where files differ from it; None outside a clone."""
    return said("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")


def write(path: Path, values: dict[str, Any]) -> None:
    """Write `results.json`; what is not a finite number becomes null, so that any JSON reader can read it."""
    write_json(path, _plain(values))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):  # a number of NumPy
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
