"""Records that cannot be read stop a study before anything is built, however far away their stage is."""

from pathlib import Path

import pytest

from tcm.cases import CaseError
from tcm_rlaif.runner import study
from tcm_rlaif.study import params, plan, stage

ROWS = "id,history,prescription\n1,失眠多梦,柴胡10g\n2,头痛恶寒,桂枝9g\n"


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list:
    """Studies lie in a folder of the test; what would be started is noted."""
    started: list = []
    for module in (plan, stage, study):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(stage, "code_hash", lambda name: name)
    monkeypatch.setattr(study, "_snakemake", lambda *_: ["true"])
    monkeypatch.setattr(study, "supervised", lambda command, *_: started.append(command) or 0)
    return started


def own(path: Path, **values) -> params.Params:
    return params.validated({"study": "mine", "data_source": "own", "data_path": str(path), **values}, "x")


def test_a_wrong_path_is_found_first(tmp_path: Path, nothing_runs: list) -> None:
    with pytest.raises(CaseError, match="absent.csv: no such file; correct data_path"):
        study.run_study(own(tmp_path / "absent.csv"), 1)
    assert nothing_runs == []


def test_a_wrong_column_is_found_first(tmp_path: Path, nothing_runs: list) -> None:
    (tmp_path / "a.csv").write_text(ROWS, "utf-8")
    with pytest.raises(CaseError, match="no column '舌象' for tongue; columns: history, id, prescription"):
        study.run_study(own(tmp_path / "a.csv", data_columns={"tongue": "舌象"}), 1)
    assert nothing_runs == []


def test_a_folder_in_the_place_of_a_file_is_found_first(tmp_path: Path, nothing_runs: list) -> None:
    with pytest.raises(CaseError, match="correct data_path"):
        study.run_study(own(tmp_path), 1)
    assert nothing_runs == []


@pytest.mark.parametrize("name", ["records {site}.csv", "a #1.csv", "病历 %s.csv"])
def test_a_file_may_have_any_name(tmp_path: Path, nothing_runs: list, name: str) -> None:
    (tmp_path / name).write_text(ROWS, "utf-8")
    study.run_study(own(tmp_path / name), 1)
    assert nothing_runs == [["true"]], "the records are read and the study is started"
