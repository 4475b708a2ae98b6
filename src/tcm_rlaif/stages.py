"""The study as a plan: which notebook runs with which arm and seed, what each reads, and where it writes.

A run is one notebook with one arm and one seed. Two arms share a run when they agree on every key that the run and
the runs before it read, so a study trains each model once. A stage writes only its own folder, `stage.json` last:
that file is the done-marker that later stages, the Snakefile and the notebook runner look for.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tcm_rlaif import params
from tcm_rlaif.cases import write_json
from tcm_rlaif.params import ROOT, ParamsError
from tcm_rlaif.schema import PREFIXES, Params

STAGES = tuple(PREFIXES)
DONE = "stage.json"


class StageError(RuntimeError):
    """A stage whose input is missing or was made with other parameters; the message says what to run."""


@dataclass(frozen=True)
class Run:
    """One notebook run.

    Args:
        stage: name of the notebook, e.g. ``04_dpo``.
        arm: the arm whose parameters it uses (the first of those that share it).
        seed: None for the stages that all seeds share.
        folder: where it writes, relative to the study's folder.
        inputs: role -> folder of an earlier run; roles are base, data, sft, labels, dpo (for 06: evaluations).
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
    """Where a study's report and results go: beside runs/, under reports/."""
    return study_folder(P).parent.parent / "reports" / P.study


def stage_of(name: str) -> str | None:
    """The stage that is the first to read a key; None for keys of the study as a whole."""
    return next((stage for stage, prefixes in PREFIXES.items() if name.startswith(prefixes)), None)


def read_by(P: Params, stage: str) -> dict[str, Any]:
    """The parameters that a stage or any stage before it reads (`training` decides the inputs, so it is none)."""
    last = STAGES.index(stage)
    values = P.model_dump(mode="json")
    return {k: v for k, v in values.items() if stage_of(k) and STAGES.index(stage_of(k)) <= last}


def code_hash(stage: str) -> str:
    """Hash of the notebook's code cells: outputs or prose saved in JupyterLab do not make a finished run stale."""
    cells = json.loads((ROOT / "notebooks" / f"{stage}.ipynb").read_text("utf-8"))["cells"]
    code = "\0".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def chain(P: Params, training: str) -> tuple[str, ...]:
    """The training stages of an arm, in order."""
    return {
        "none": (),
        "sft": ("02_sft",),
        "dpo": ("03_rlaif_labels", "04_dpo"),
        "sft_dpo": ("02_sft", "03_rlaif_labels", "04_dpo"),
    }[training]


ROLE = {"00_base_model": "base", "01_data_prep": "data", "02_sft": "sft", "03_rlaif_labels": "labels", "04_dpo": "dpo"}


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
        # without training and sampling nothing depends on the seed: the untrained model answers once
        seeds = P.seeds[:1] if PA.training == "none" and P.eval_temperature == 0 else P.seeds
        for seed in seeds:
            have = dict(ready)
            for stage in chain(PA, PA.training):
                have[ROLE[stage]] = add(stage, arm, seed, have)
            evaluations[f"{arm}/seed{seed}"] = add("05_evaluate", arm, seed, have)
    runs["ablation"] = Run("06_ablation", next(iter(P.arms)), None, "06_ablation", tuple(evaluations.items()))
    return tuple(runs.values())


def plan(P: Params) -> tuple[Run, ...]:
    """All runs of a study, inputs before users.

    Args:
        P: the study's parameters (not those of one arm).
    """
    return _plan(json.dumps(P.model_dump(mode="json"), sort_keys=False))


@dataclass(frozen=True)
class Stage:
    """What a notebook works with once it is opened: parameters, its own folder, and the folders it may read."""

    run: Run
    P: Params
    study: Params
    folder: Path
    inputs: dict[str, Path]

    @property
    def seed(self) -> int:
        """The seed of this run (0 for stages that all seeds share)."""
        return self.run.seed or 0

    def read(self, role: str) -> dict[str, Any]:
        """The `stage.json` of an input."""
        return json.loads((self.inputs[role] / DONE).read_text("utf-8"))

    def close(self, **facts: Any) -> None:
        """Write `stage.json`, last of all: what the stage found, and what it was made of."""
        read = read_by(self.P, self.run.stage)
        write_json(
            self.folder / DONE,
            {
                "stage": self.run.stage,
                "arm": self.run.arm,
                "seed": self.run.seed,
                "params": read,
                "code": code_hash(self.run.stage),
                **facts,
            },
        )
        print(f"{self.run.folder}/{DONE} written; next: {_next(self)}")


def _next(stage: Stage) -> str:
    users = [r for r in plan(stage.study) if stage.run.folder in dict(r.inputs).values()]
    return f"notebooks/{min(r.stage for r in users)}.ipynb" if users else f"./study report {stage.study.study}"


def open_stage(stage: str, notebook_globals: Mapping[str, Any]) -> Stage:
    """Open a stage from a notebook: collect and check its parameters, find its folders, check its inputs.

    Args:
        stage: name of the notebook without its ending.
        notebook_globals: `globals()` of the notebook after its parameters cell; `params_file`, `arm` and `seed` choose
            the run, every other name there overrides a key of the params file, as papermill's `-f` and `-p` do.

    Raises:
        ParamsError: on an unknown or wrong parameter.
        StageError: if an input is missing or was made with other parameters.
    """
    given = given_parameters(notebook_globals)
    overrides = {k: v for k, v in given.items() if k not in ("params_file", "arm", "seed")}
    try:
        P = params.load(given["params_file"], **overrides)
    except ParamsError as error:
        if not (unknown := sorted(overrides.keys() - Params.model_fields.keys())):
            raise
        stays = f"the kernel keeps a misspelt name: `del {', '.join(unknown)}`, or restart it"
        raise ParamsError(f"{error}; {stays}") from None
    arm, seed = given.get("arm", next(iter(P.arms))), given.get("seed")
    run = find_run(P, stage, arm, seed)
    folder = study_folder(P)
    opened = Stage(run, params.for_arm(P, run.arm), P, folder / run.folder, {k: folder / v for k, v in run.inputs})
    for role, path in opened.inputs.items():
        _check_input(opened, role, path)
    opened.folder.mkdir(parents=True, exist_ok=True)
    (opened.folder / DONE).unlink(missing_ok=True)
    return opened


def given_parameters(notebook_globals: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters among a notebook's global names: plain values, not what IPython or an import put there."""
    plain = (str, int, float, bool, list, dict, tuple, type(None))
    names = {
        k for k, v in notebook_globals.items() if type(v) in plain and not k.startswith("_") and k not in ("In", "Out")
    }
    # When the cell is run again in JupyterLab, later cells have left their own variables: only parameters count then.
    first = _first_names.setdefault(id(notebook_globals), names)
    return {name: notebook_globals[name] for name in names if name in first or name in Params.model_fields}


_first_names: dict[int, set[str]] = {}


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
        StageError: if the arm has no such stage or the study no such seed.
    """
    params.for_arm(P, arm)
    if seed is not None and seed not in P.seeds:
        raise StageError(f"seed: {seed} is not among this study's seeds {list(P.seeds)}; add it to `seeds`")
    seed = P.seeds[0] if seed is None else seed
    runs = {r.folder: r for r in plan(P)}
    if stage == "06_ablation":
        return runs["06_ablation"]
    evaluations = dict(runs["06_ablation"].inputs)
    last = runs[evaluations.get(f"{arm}/seed{seed}") or evaluations[f"{arm}/seed{P.seeds[0]}"]]
    if last.stage == stage:
        return last
    for folder in dict(last.inputs).values():
        if runs[folder].stage == stage:
            return runs[folder]
    raise StageError(
        f"arm {arm!r} has no stage {stage}: it trains {params.for_arm(P, arm).training!r}; choose another arm"
    )


def _check_input(stage: Stage, role: str, path: Path) -> None:
    source = next(r for r in plan(stage.study) if study_folder(stage.study) / r.folder == path)
    advice = f"run notebooks/{source.stage}.ipynb with arm={source.arm!r}"
    advice += "" if source.seed is None else f", seed={source.seed}"
    if not (path / DONE).exists():
        raise StageError(f"{path / DONE} is missing ({role}): {advice} first, or ./study run with this params file")
    changed = stale(stage.study, source)
    if changed:
        raise StageError(f"{path} is stale ({role}): {'; '.join(changed[:3])}; {advice} again")


def stale(study: Params, run: Run) -> list[str]:
    """Why a finished run no longer fits: parameters that changed since, or the notebook's code; empty = it fits."""
    made = json.loads((study_folder(study) / run.folder / DONE).read_text("utf-8"))
    now = read_by(params.for_arm(study, run.arm), run.stage)
    was = made["params"]
    found = [f"{k} was {was.get(k)!r} and is {v!r}" for k, v in now.items() if was.get(k) != v]
    return found + ([f"the code of {run.stage}.ipynb changed"] if made["code"] != code_hash(run.stage) else [])


def forget_stale(study: Params) -> list[str]:
    """Take the done-marker from every finished run that no longer fits, and from the runs that read it.

    The report goes too unless everything is in place: a DAG engine that sees the last file takes the rest for granted.

    Returns:
        The folders of the runs that were done and have to be run again.
    """
    forgotten, complete = [], True
    for run in plan(study):
        done = study_folder(study) / run.folder / DONE
        inputs = [study_folder(study) / folder / DONE for _, folder in run.inputs]
        if done.exists() and (not all(i.exists() for i in inputs) or stale(study, run)):
            done.unlink()
            forgotten.append(run.folder)
        complete &= done.exists()
    if not complete:
        (reports_folder(study) / "report.html").unlink(missing_ok=True)
    return forgotten
