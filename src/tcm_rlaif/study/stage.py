"""One stage as its notebook sees it: parameters, inputs that were checked, a folder of its own, and a done-marker.

A stage writes only its own folder, `stage.json` last: that file is what later stages and the runner look for. It holds
the recipe that the stage was made by. A finished stage is *stale* when the study's recipe for it is another one by now:
a parameter that it or a stage before it reads, or the code of its notebook or of one before it. It is *damaged* when a
file that it wrote is not what `stage.json` says of it. Either way the same command makes it again. This is the only
mechanism that decides so (Snakemake knows only the runs that it started itself, and not why). Running a stage again by
the same recipe leaves the stages after it standing. A change of `src` leaves them standing too, since most such changes
move no number and a study may have taken days; but it is said, at the start of a run and in `results.json`.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tcm.cases import CaseError
from tcm.files import read_json, write_json
from tcm_rlaif.study import lab, outputs, params
from tcm_rlaif.study.params import ROOT, ParamsError
from tcm_rlaif.study.plan import ABLATION, Run, StageError, find_run, plan, read_by, study_folder
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.syntax import does

DONE = "stage.json"
UNFINISHED = "not finished yet"


def code_hash(stage: str) -> str:
    """Hash of what the notebook's cells do: its parameters, comments, layout and outputs are no code of a stage."""
    cells = read_json(ROOT / "notebooks" / f"{stage}.ipynb")["cells"]
    code = [
        does("".join(cell["source"]))
        for cell in cells
        if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", [])
    ]
    return _hash([cell for cell in code if cell])


@cache
def source_hash() -> str:
    """Hash of the code and tables under `src`, as they were when this process first asked."""
    files = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in (".py", ".tsv"))
    return _hash([[p.relative_to(ROOT).as_posix(), hashlib.sha256(p.read_bytes()).hexdigest()] for p in files])


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def recipes(study: Params) -> dict[str, dict[str, Any]]:
    """Folder of each run -> what decides its result: `params`, `code`, and `inputs` (role -> hash of its recipe)."""
    made: dict[str, dict[str, Any]] = {}
    code: dict[str, str] = {}
    for run in plan(study):
        code[run.stage] = code.get(run.stage) or code_hash(run.stage)
        made[run.folder] = {
            "params": params.public(read_by(params.for_arm(study, run.arm), run.stage)),
            "code": code[run.stage],
            "inputs": {role: _hash(made[folder]) for role, folder in run.inputs},
        }
    return made


def problems(study: Params, among: Collection[str] | None = None, files: bool = True) -> dict[str, str]:
    """Folder of each run that has to be run -> why: `UNFINISHED`, how its recipe differs from now, or what is damaged.

    Args:
        among: folders of the runs to look at; None for all.
        files: whether to read the files that they wrote, for damage.
    """
    now, folder = recipes(study), study_folder(study)
    wanted = [run for run in plan(study) if among is None or run.folder in among]
    found = {run.folder: _why(folder / run.folder / DONE, run.stage, now[run.folder], files) for run in wanted}
    return {folder: why for folder, why in found.items() if why}


def _why(done: Path, stage: str, now: Mapping[str, Any], files: bool) -> str:
    if not done.exists():
        return UNFINISHED
    made = _made(done)
    if not made:
        return "its stage.json is damaged"
    return _difference(made, stage, now) or (_damage(made, done.parent) if files else "")


def damage(folder: Path) -> str:
    """What is wrong with the files of a finished stage; empty where they are as they were written."""
    made = _made(folder / DONE)
    return _damage(made, folder) if made else f"its {DONE} is damaged"


def _damage(made: Mapping[str, Any], folder: Path) -> str:
    """What was written and is not there as it was, in the stage's folder or in the cache."""
    kept = ((name, outputs.cache_damage(ROOT / name)) for name in made["cached"])
    return outputs.damage(folder, made["files"]) or "; ".join(f"{name}: {wrong}" for name, wrong in kept if wrong)


def _difference(made: Mapping[str, Any], stage: str, now: Mapping[str, Any]) -> str:
    changed = [f"{k} was {made['params'].get(k)!r} and is {v!r}" for k, v in now["params"].items()
               if made["params"].get(k) != v]  # fmt: skip
    if made["code"] != now["code"]:
        changed.append(f"the code of {stage}.ipynb changed")
    others = [role for role, recipe in now["inputs"].items() if made["inputs"].get(role) != recipe]
    if others and not changed:
        changed.append(f"it was made from other inputs ({', '.join(others[:3])})")
    return "; ".join(changed[:3])


def _made(done: Path) -> dict[str, Any]:
    """The recipe in a `stage.json` and what it says of files; empty where the file is damaged."""
    try:
        made = read_json(done)
        found = {key: made[key] for key in ("params", "code", "inputs", "src")}
        found |= {"files": made.get("files", {}), "cached": made.get("cached", [])}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    shapes = {"params": dict, "code": str, "inputs": dict, "src": str, "files": dict, "cached": list}
    whole = all(isinstance(found[key], shape) for key, shape in shapes.items())
    return found if whole and all(isinstance(name, str) for name in found["cached"]) else {}


def made_with(study: Params) -> dict[str, list[str]]:
    """Hash of `src` -> folders of the finished runs that were made with it."""
    found: dict[str, list[str]] = {}
    for run in plan(study):
        done = study_folder(study) / run.folder / DONE
        if done.exists() and (made := _made(done)):
            found.setdefault(made["src"], []).append(run.folder)
    return found


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
        return read_json(self.inputs[role] / DONE)

    def models(self, arm: str) -> dict[int, tuple[str, Path | None]]:
        """The models that answered for an arm: seed -> where its base lies, and the folder of its adapter, if any."""
        runs, place, found = {run.folder: run for run in plan(self.study)}, study_folder(self.study), {}
        for name, folder in runs[ABLATION].inputs:
            answered_for, seed = name.split("/seed")
            if answered_for == arm:
                before = dict(runs[folder].inputs)
                trained = before.get("dpo") or before.get("sft")
                base = read_json(place / before["base"] / DONE)["model"]
                found[int(seed)] = (base, place / trained / "adapter" if trained else None)
        return found

    def close(self, cached: Collection[str] = (), **facts: Any) -> None:
        """Write `stage.json`, last of all: what the stage found and wrote, and the recipe that it was made by.

        Checkpoints and unfinished draws go before it: a finished stage that is run again has to train and draw again,
        not to end where it ended.

        Args:
            cached: folders under `runs/cache` that later stages read, relative to the project folder.
        """
        made = {"stage": self.run.stage, "arm": self.run.arm, "seed": self.run.seed, "src": source_hash()}
        made |= recipes(self.study)[self.run.folder] | facts
        for checkpoint in [*self.folder.glob("**/checkpoints-*/checkpoint-*")]:
            shutil.rmtree(checkpoint)
        for beside in [*self.folder.glob("**/checkpoints-*/panel-*"), *self.folder.glob("**/checkpoints-*/epoch-*")]:
            beside.unlink()
        for drawn in [*self.folder.rglob(f"*{outputs.UNFINISHED}")]:
            drawn.unlink()
        write_json(self.folder / DONE, made | {"cached": list(cached), "files": outputs.files_of(self.folder)})
        print(f"{self.run.folder}/{DONE} written; next: {self._following()}")

    def _following(self) -> str:
        """What to run next: the first stage that reads this one, or what that one still waits for."""
        runs, place = plan(self.study), study_folder(self.study)
        users = [run for run in runs if self.run.folder in dict(run.inputs).values()]
        if not users:
            return f"./study report {self.study.study}"
        user = min(users, key=lambda run: run.stage)
        inputs = [run for run in runs if run.folder in dict(user.inputs).values()]
        waits = [run.stage for run in inputs if not (place / run.folder / DONE).exists()]
        return f"notebooks/{min(waits, default=user.stage)}.ipynb"


def open_stage(stage: str, notebook_globals: Mapping[str, Any]) -> Stage:
    """Open a stage from a notebook: collect and check its parameters, find its folders, check its inputs.

    Args:
        stage: name of the notebook without its ending.
        notebook_globals: `globals()` of the notebook after its parameters cell; `params_file`, `arm` and `seed` choose
            the run, every other name there overrides a key of the params file, as papermill's `-f` and `-p` do.

    Raises:
        ParamsError: on an unknown or wrong parameter.
        StageError: if an input is missing or stale.
    """
    keep_private()
    lab.errors_in_short(ParamsError, StageError, CaseError)
    given = given_parameters(notebook_globals)
    if not given["params_file"] and lab.watched():
        print(f"params_file: {lab.params_file('')}")
    opened = prepare(stage, given)
    opened.folder.mkdir(parents=True, exist_ok=True)
    (opened.folder / DONE).unlink(missing_ok=True)
    return opened


def keep_private() -> None:
    """From here on, what this process and its children write is the user's alone: it may hold texts of patients."""
    os.umask(0o077)


def prepare(stage: str, given: Mapping[str, Any]) -> Stage:
    """A stage with everything checked and nothing touched.

    Args:
        given: the notebook's parameters, with `params_file` and, where the notebook has them, `arm` and `seed`.
    """
    overrides = {k: v for k, v in given.items() if k not in ("params_file", "arm", "seed")}
    file = lab.params_file(given["params_file"])
    try:
        # `papermill -f FILE` gives a whole params file, `study` with it: nothing of the notebook's own file is in it
        if whole := "study" in overrides:
            print(f"study {overrides['study']}: what is given here is all of it; {file} is not read")
        P = params.validated(overrides, "papermill") if whole else params.load(file, **overrides)
    except ParamsError as error:
        if not (unknown := sorted(overrides.keys() - Params.model_fields.keys())):
            raise
        stays = f"the kernel keeps a misspelt name: `del {', '.join(unknown)}`, or restart it"
        raise ParamsError(f"{error}; {stays}") from None
    arm, seed = given.get("arm") or next(iter(P.arms)), given.get("seed")
    params.check_installed(P)
    run = find_run(P, stage, arm, seed)
    before = list(_before(P, run))
    wrong = problems(P, {needed.folder for needed in before})
    for needed in before:
        if needed.folder in wrong:
            raise StageError(_advice(P, needed, wrong[needed.folder], arm, seed))
    folder = study_folder(P)
    inputs = {role: folder / path for role, path in run.inputs}
    return Stage(run, params.for_arm(P, run.arm), P, folder / run.folder, inputs)


def _before(study: Params, run: Run) -> Iterator[Run]:
    """The runs that a run reads, directly or through others, in order."""
    needed = {folder for _, folder in run.inputs}
    for earlier in reversed(plan(study)):  # users come after what they use
        if earlier.folder in needed:
            needed.update(folder for _, folder in earlier.inputs)
    return (r for r in plan(study) if r.folder in needed)


def _advice(study: Params, needed: Run, why: str, arm: str, seed: int | None) -> str:
    """What to run, in the words of the user's own arm and seed where these lead to the run that is missing."""
    try:
        own = find_run(study, needed.stage, arm, seed) == needed
    except StageError:
        own = False
    arm, seed = (arm, seed) if own else (needed.arm, needed.seed)
    how = f"arm={arm!r}" + ("" if needed.seed is None else f", seed={study.seeds[0] if seed is None else seed}")
    place = study_folder(study) / needed.folder
    state = "is missing" if why == UNFINISHED else f"does not stand: {why}"
    advice = f"run notebooks/{needed.stage}.ipynb with {how} first, or ./study run with this params file"
    return f"{place / DONE} {state}; {advice}"


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
