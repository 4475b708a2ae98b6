"""A small study whose arms `sft` and `sft_dpo` are trained (by adapters moved at random), written under a folder.

For tests of what is done with a finished study; nothing is learned in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tiny_model
import yaml

from tcm.cases import write_cases
from tcm.files import write_json, write_rows
from tcm_rlaif.study import params, plan
from tcm_rlaif.study.stage import Stage

NAME = "small"
ARMS = {"base": {"training": "none"}, "sft": {"training": "sft"}, "sft_dpo": {}}
MEASURED = {"mean": 0.42, "low": 0.31, "high": 0.53, "seeds": [0.42], "n": 3}
RESULTS = {
    "study": NAME, "seeds": [0], "intervals": "95% intervals over cases alone (one seed)",
    "arms": {"base": {"herb_f1": {**MEASURED, "mean": 0.05}}, "sft": {"herb_f1": MEASURED}},
    "floors": {"popularity": {"herb_f1": {"mean": 0.251, "n": 3}}, "gold": {"herb_f1": {"mean": 1.0, "n": 3}}},
    "data": {"splits": [{"split": "train", "cases": 9}, {"split": "test", "cases": 3}]},
    "safety": [{"answers by": "sft", "any": 0.5, "high": 0.25}, {"answers by": "gold", "any": 0.1, "high": 0.0}],
}  # fmt: skip
DETECTION = {"detection": [{"defect": "overdose", "n": 4, "rate": 0.75}]}


@contextmanager
def opened(root: Path, **changes) -> Iterator[params.Params]:
    """The study, as long as the context lasts.

    Args:
        root: takes the place of the project folder for what studies write.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "ROOT", root)
        given = tiny_model.params().model_dump(mode="json") | {"study": NAME, "seeds": [0], "arms": ARMS, **changes}
        P = params.validated(given, "small.yaml")
        place = plan.study_folder(P)
        place.mkdir(parents=True)
        (place / params.SNAPSHOT).write_text(yaml.safe_dump(params.changes(P), allow_unicode=True), "utf-8")
        *runs, last = plan.plan(P)
        for number, run in enumerate(runs):
            facts = _write(run.stage, place / run.folder, number, params.for_arm(P, run.arm).adapter)
            Stage(run, params.for_arm(P, run.arm), P, place / run.folder, {}).close(**facts)
        write_json(place / last.folder / "results.json", RESULTS)
        yield P


def _write(stage: str, folder: Path, number: int, adapter: str) -> dict:
    """The files of a stage that others read, and what its `stage.json` says."""
    folder.mkdir(parents=True)
    cases = tiny_model.cases()
    if stage == "00_base_model":
        return {"model": str(tiny_model.folder()), "parameters": 1_234_567}
    if stage == "01_data_prep":
        write_cases(folder / "cases.jsonl", cases)
        split = {case.id: "test" if n > 8 else "train" for n, case in enumerate(cases)}
        write_json(folder / "splits.json", split)
    if stage in ("02_sft", "04_dpo"):
        model, _ = tiny_model.with_adapter(0.02 * (number + 1), training="sft", adapter=adapter)
        model.save_pretrained(folder / "adapter")
    if stage == "03_rlaif_labels":
        write_json(folder / "audit.json", DETECTION)
    if stage == "04_dpo":
        write_rows(folder / "pairs.jsonl", [{**row, "case_id": c.id, "score_chosen": 0.9, "score_rejected": 0.2}
                                            for row, c in zip(tiny_model.pairs(3), cases, strict=False)])  # fmt: skip
    return {}
