"""What an arm of a study has become: its adapter, the base under it, the cases it may show; everything checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tcm.cases import Case, read_split
from tcm.files import read_json
from tcm_rlaif.study import params, stage
from tcm_rlaif.study.params import SNAPSHOT
from tcm_rlaif.study.plan import ABLATION, StageError, find_run, reports_folder, study_folder
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, Tokenizer


@dataclass(frozen=True)
class Trained:
    """One arm with one seed, as its study left it.

    Args:
        study: the study's parameters; P: the arm's.
        source: the base, as for `load_base`.
        adapter: folder of the adapter; None for an arm that trains nothing.
        folders: role (base, data, sft, labels, dpo, evaluation) -> folder of the finished run.
    """

    study: Params
    P: Params
    arm: str
    seed: int
    source: str
    adapter: Path | None
    folders: dict[str, Path]

    @property
    def training_cases(self) -> list[Case]:
        """What prompts and judges may learn from."""
        return read_split(self.folders["data"], "train")

    @property
    def results(self) -> dict[str, Any]:
        """The study's `results.json`, of the report or of a finished 06; empty where there is none."""
        places = (study_folder(self.study) / ABLATION / "results.json", reports_folder(self.study) / "results.json")
        return next((read_json(p) for p in places if p.is_file()), {})

    def load(self, P: Params | None = None) -> tuple[Model, Tokenizer]:
        """The policy and its tokenizer.

        Args:
            P: how the base is loaded, if otherwise than in the study.
        """
        from tcm_rlaif.models.loading import load_policy

        return load_policy(self.source, self.adapter, P or self.P)


def find(name: str, arm: str, seed: int | None = None) -> Trained:
    """Find what an arm has become.

    Args:
        name: of the study.
        seed: one of its seeds; None for the first that the arm has.

    Raises:
        ParamsError: for a name that is none, or an arm that the study does not have.
        StageError: where the study was not run here, the arm has no such seed, or a run that the arm needs is missing
            or damaged.
    """
    snapshot = study_folder(params.validated({"study": name}, "study")) / SNAPSHOT
    if not snapshot.is_file():
        raise StageError(f"{snapshot}: no such file, so study {name!r} was not run here; ./study run makes it")
    P = params.load(snapshot)
    evaluated, place = find_run(P, "05_evaluate", arm, seed), study_folder(P)
    needed = dict(evaluated.inputs)
    for folder in needed.values():
        if not (place / folder / stage.DONE).is_file():
            raise StageError(f"{place / folder / stage.DONE} is missing: that run is not finished; ./study run goes on")
        if wrong := stage.damage(place / folder):
            raise StageError(f"{place / folder}: {wrong}; ./study run makes it again")
    if (place / evaluated.folder / stage.DONE).is_file():
        needed["evaluation"] = evaluated.folder
    folders = {role: place / folder for role, folder in needed.items()}
    adapter = next((folders[role] / "adapter" for role in ("dpo", "sft") if role in folders), None)
    base = read_json(folders["base"] / stage.DONE)["model"]
    return Trained(P, params.for_arm(P, arm), arm, evaluated.seed if seed is None else seed, base, adapter, folders)
