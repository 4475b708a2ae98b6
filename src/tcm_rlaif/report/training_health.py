"""One verdict a training run, so that a reader looks only at those in which something happened."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from tcm_rlaif.evaluation.ablation import kept_reading
from tcm_rlaif.study.plan import plan, study_folder
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.stage import DONE

HEALTHY, WARNING = "healthy", "warning"
DRAWN = 6  # warned runs that are drawn; our choice: a page of small multiples


def verdicts(runs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each preference training.

    Args:
        runs: name of the run -> `stage.json` of 04_dpo.

    Returns:
        `run`, `verdict`, `what` happened (empty where nothing did), `rows` trained on, `loss` and `margin` before the
        first step, `margin`, `KL` a token and herb F1 of the watched cases at the end (of the weights that were kept).
    """
    return pd.DataFrame([_verdict(name, run) for name, run in runs.items()], columns=_COLUMNS)


_COLUMNS = ["run", "verdict", "what", "rows", "first loss", "first margin", "last margin", "KL per token", "herb F1"]


def _verdict(name: str, run: Mapping[str, Any]) -> dict[str, Any]:
    kept, happened = kept_reading(run), _happened(run)
    came_in = next(iter(run.get("rounds") or run["health"]))  # the panel's readings are those of the last round
    first, last = came_in.get("herb_f1"), kept.get("herb_f1")
    f1 = "–" if None in (first, last) else f"{first:.2f} to {last:.2f}"
    return {
        "run": name, "verdict": WARNING if happened else HEALTHY, "what": "; ".join(happened), "rows": run["rows"],
        "first loss": run["first"]["loss"], "first margin": run["first"]["margin"], "last margin": kept["margin"],
        "KL per token": kept["kl_per_token"], "herb F1": f1,
    }  # fmt: skip


def _happened(run: Mapping[str, Any]) -> list[str]:
    """What a reader should know of a training, in words; nothing where all went as it should."""
    said = [] if run["rows"] else ["nothing was left to train on"]
    if run["fell_back_to_step"] is not None:
        said.append(f"went back to step {run['fell_back_to_step']}")
    if run["gate_overridden"]:
        said.append("the judge's failed audit was overridden")
    *earlier, _ = run.get("rounds") or [{}]  # the panel's readings are those of the last round
    said += [f"round {row['round']}, {row['ill']}" for row in earlier if row.get("ill")]
    said += dict.fromkeys(f"step {row['step']}: {row['ill']}" for row in run["health"] if row.get("ill"))
    return said + [line for line in run.get("diagnosis", ()) if line.rstrip(".").endswith(": worse")]


def sentence(table: pd.DataFrame) -> str:
    """How many runs went well, and which did not."""
    if table.empty:
        return "No arm of this study learns from preferences."
    warned = list(table.loc[table["verdict"] == WARNING, "run"])
    told = f"; something happened in {', '.join(warned)}" if warned else ""
    return f"{len(table) - len(warned)} of {len(table)} trainings were healthy from first to last reading{told}."


def imitation(study: Params) -> pd.DataFrame:
    """One row for each supervised training: cases, steps, loss before and after, validation loss by epoch."""
    rows = []
    for run in (run for run in plan(study) if run.stage == "02_sft"):
        found = json.loads((study_folder(study) / run.folder / DONE).read_text("utf-8"))
        validation = [loss for loss in found.get("validation_loss", ()) if loss is not None]
        lowest = f"{validation.index(min(validation)) + 1} of {len(validation)}" if validation else "–"
        rows.append(
            {"run": run.folder.split("/", 1)[1], "cases": found.get("cases"), "steps": found.get("steps")}
            | {"first loss": found.get("loss_first"), "last loss": found.get("loss_last")}
            | {"validation loss, last": validation[-1] if validation else None, "lowest in epoch": lowest}
        )
    return pd.DataFrame(rows)
