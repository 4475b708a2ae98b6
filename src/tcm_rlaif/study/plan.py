"""The study as a plan: which notebook runs with which arm and seed, what each reads, and where it writes.

A run is one notebook with one arm and one seed. Two arms share a run when they agree on every key that the run and
the runs before it read, so a study trains each model once.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tcm_rlaif.study import params
from tcm_rlaif.study.notebooks import NOTEBOOKS, TRAININGS
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.schema import Params

STAGES = tuple(NOTEBOOKS)
ABLATION, PROBES = STAGES[-2:]


class StageError(RuntimeError):
    """A stage that cannot be opened, or that a study does not have; the message says what to run."""


@dataclass(frozen=True)
class Run:
    """One notebook run.

    Args:
        stage: name of the notebook, e.g. ``04_dpo``.
        arm: the arm whose parameters it uses (the first of those that share it).
        seed: None for the stages that all seeds share.
        folder: where it writes, relative to the study's folder.
        inputs: role -> folder of an earlier run; roles are base, data, sft, labels, dpo (for 06: evaluations; for 07:
            the ablation, and the data).
    """

    stage: str
    arm: str
    seed: int | None
    folder: str
    inputs: tuple[tuple[str, str], ...]


def study_folder(P: Params) -> Path:
    """Where everything of a study lies."""
    return ROOT / "runs" / P.study


def reports_folder(P: Params) -> Path:
    """Where a study's report and results go."""
    return ROOT / "reports" / P.study


def stage_of(name: str) -> str | None:
    """The stage that is the first to read a key; None for keys of the study as a whole."""
    return next((stage for stage, notebook in NOTEBOOKS.items() if name.startswith(notebook.keys)), None)


def read_by(P: Params, stage: str) -> dict[str, Any]:
    """The parameters that a stage or any stage before it reads (`training` decides the inputs, so it is none)."""
    last = STAGES.index(stage)
    values = P.model_dump(mode="json")
    return {k: v for k, v in values.items() if stage_of(k) and STAGES.index(stage_of(k)) <= last}


@cache
def _plan(dumped: str) -> tuple[Run, ...]:
    P = params.validated(json.loads(dumped), "study")
    runs: dict[tuple, Run] = {}

    def add(stage: str, arm: str, seed: int | None, inputs: dict[str, str]) -> str:
        PA = params.for_arm(P, arm)
        same = (stage, seed, json.dumps(read_by(PA, stage), sort_keys=True), tuple(inputs.items()))
        if same not in runs:
            shared = seed is None and not any(r.stage == stage for r in runs.values())
            place = ("shared",) if shared else (arm,) if seed is None else (arm, f"seed{seed}")
            runs[same] = Run(stage, arm, seed, "/".join((stage, *place)), tuple(inputs.items()))
        return runs[same].folder

    evaluations = {}
    for arm in P.arms:
        PA = params.for_arm(P, arm)
        ready = {"base": add("00_base_model", arm, None, {})}
        ready["data"] = add("01_data_prep", arm, None, {})
        for seed in P.seeds[:1] if params.unchanging(P, arm) else params.seeds_of(P, arm):
            have = dict(ready)
            for stage in TRAININGS[PA.training]:
                have[NOTEBOOKS[stage].role] = add(stage, arm, seed, have)
            evaluations[f"{arm}/seed{seed}"] = add("05_evaluate", arm, seed, have)
    runs["ablation"] = Run(ABLATION, next(iter(P.arms)), None, ABLATION, tuple(evaluations.items()))
    if P.probe_arms:
        before = (("ablation", ABLATION), ("data", ready["data"]))
        runs["probes"] = Run(PROBES, next(iter(P.arms)), None, PROBES, before)
    return tuple(runs.values())


def plan(P: Params) -> tuple[Run, ...]:
    """All runs of a study, inputs before users.

    Args:
        P: the study's parameters (not those of one arm).
    """
    return _plan(json.dumps(P.model_dump(mode="json"), sort_keys=False))


def stage_name(name: str) -> str:
    """The stage that a user means: `02_sft`, `02`, `sft` or `02_sft.ipynb`.

    Raises:
        StageError: if there is none.
    """
    wanted = name.removesuffix(".ipynb").rsplit("/", 1)[-1]
    found = [s for s in STAGES if wanted in (s, s[:2], s[3:])]
    if not found:
        raise StageError(f"no notebook {name!r}; {params.nearest(wanted, STAGES)}")
    return found[0]


def find_run(P: Params, stage: str, arm: str, seed: int | None) -> Run:
    """The run of a stage that serves an arm and seed.

    Raises:
        StageError: if the arm has no such stage or seed, or the study no such seed or no arm to probe.
    """
    params.for_arm(P, arm)
    if seed is not None and seed not in P.seeds:
        raise StageError(f"seed: {seed} is not among this study's seeds {list(P.seeds)}; add it to `seeds`")
    runs = {r.folder: r for r in plan(P)}
    if stage == PROBES and PROBES not in runs:
        raise StageError(f"study {P.study!r} probes no arm; name some, e.g. probe_arms: {list(P.arms)[:3]}")
    if stage in (ABLATION, PROBES):
        return runs[stage]
    if seed is not None and not params.has_seed(P, arm, seed):
        raise StageError(f"seed: {arm!r} has no seed {seed} in this study, but {list(params.seeds_of(P, arm))}")
    evaluations = dict(runs[ABLATION].inputs)
    first = next(folder for name, folder in evaluations.items() if name.startswith(f"{arm}/seed"))
    last = runs[evaluations.get(f"{arm}/seed{seed}", first)]
    if last.stage == stage:
        return last
    for folder in dict(last.inputs).values():
        if runs[folder].stage == stage:
            return runs[folder]
    raise StageError(
        f"arm {arm!r} has no stage {stage}: it trains {params.for_arm(P, arm).training!r}; choose another arm"
    )


def given(run: Run, params_file: str, arm: str | None = None) -> dict[str, Any]:
    """What a notebook is told of its run; everything else stands in the params file.

    Args:
        arm: the user's own, where several arms share the run.
    """
    which = {} if run.stage in (ABLATION, PROBES) else {"arm": arm or run.arm}
    return {"params_file": params_file, **which, **({} if run.seed is None else {"seed": run.seed})}
