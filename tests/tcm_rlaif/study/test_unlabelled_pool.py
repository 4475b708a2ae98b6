"""Notebook 01 writes prompts without answers: no answer of theirs reaches the disk, no other case changes its place."""

import json
from pathlib import Path

import pytest

from tcm import answers
from tcm.cases import read_split
from tcm.cases.splits import groups
from tcm.invented import invent_cases
from tcm_rlaif.feedback.candidates import prompted
from tcm_rlaif.study import plan
from tcm_rlaif.study.schema import Params

NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks" / "01_data_prep.ipynb"
CASES, POOL, PATTERNS = 60, 24, 30


@pytest.fixture(scope="module")
def prepare(tmp_path_factory):
    """A function that runs the cells of notebook 01 on invented cases and returns the folder that it wrote."""

    def run(**given: object) -> Path:
        root = tmp_path_factory.mktemp("study")
        text = f"study: pool\ndata_cases: {CASES}\nbase_patterns: {PATTERNS}\n"
        (root / "some.yaml").write_text(text, "utf-8")
        names: dict = {"params_file": str(root / "some.yaml"), "arm": "sft_dpo", **given}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "ROOT", root)
            for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
                if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
                    exec("".join(cell["source"]), names)
        return root / "runs/pool/01_data_prep/shared"

    return run


@pytest.fixture(scope="module")
def folder(prepare) -> Path:
    return prepare(data_unlabelled=POOL)


def test_the_pool_is_there_and_every_case_is_accounted_for(folder) -> None:
    done = json.loads((folder / "stage.json").read_text("utf-8"))
    pool = read_split(folder, "unlabelled")
    assert done["unlabelled"] == {"set apart": POOL, "left out": POOL - len(pool), "kept": len(pool)}
    assert done["funnel"][0]["cases"] == CASES + POOL == sum(row["cases"] for row in done["funnel"][1:])
    assert {row["split"]: row["cases"] for row in done["splits"]}["unlabelled"] == len(pool) > POOL / 2


def test_no_answer_of_a_pool_case_is_on_disk(folder) -> None:
    pool = {case.id for case in read_split(folder, "unlabelled")}
    written = "".join(path.read_text("utf-8") for path in folder.iterdir())
    how = (Params().data_follow_up_share, 0, PATTERNS, Params().data_physicians)
    for case in invent_cases(CASES + POOL, *how)[CASES:]:
        own = answers.write(case.answer)
        assert own not in written
        if case.id in pool:
            line = next(line for line in written.splitlines() if f'"id":"{case.id}"' in line)
            assert set(json.loads(line)) <= {"id", "source", "patient_id", "patient", "visit", "earlier_visits"}
            assert "answer" not in json.loads(line)["visit"]


def test_a_pool_changes_no_other_case_and_none_shares_a_group_with_a_held_out_one(folder, prepare) -> None:
    without = prepare(data_unlabelled=0)
    cases = {name: read_split(folder, name) for name in ("train", "validation", "test", "unlabelled")}
    for name in ("train", "validation", "test"):
        assert cases[name] == read_split(without, name)
    everything = [(name, case) for name, part in cases.items() for case in part]
    group = groups([case for _, case in everything], Params().data_near_duplicate)
    of = {name: {g for g, (place, _) in zip(group, everything, strict=True) if place == name} for name in cases}
    assert not of["unlabelled"] & (of["validation"] | of["test"])
    assert read_split(without, "unlabelled") == []


def test_feedback_asks_training_cases_then_the_pool(folder) -> None:
    train, pool = read_split(folder, "train"), read_split(folder, "unlabelled")
    assert prompted(folder, Params()) == [*train, *pool]
    assert prompted(folder, Params(candidate_prompts=len(train) + 3)) == [*train, *pool[:3]]
