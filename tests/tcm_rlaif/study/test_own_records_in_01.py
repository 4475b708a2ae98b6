"""Notebook 01 on own records: what was not read is shown and counted, and too much loss or too few cases stop it."""

import json
from pathlib import Path

import pytest
from hospital_export import HEADER, export_rows, write_export

from tcm.cases import CaseError
from tcm_rlaif.runner.cli import main
from tcm_rlaif.study import plan

NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks" / "01_data_prep.ipynb"
ROWS = export_rows()
PRESCRIPTION = HEADER.index("中药处方")


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """A function that imports rows, runs the cells of notebook 01 on them, and returns its `stage.json`."""
    monkeypatch.setattr(plan, "ROOT", tmp_path)

    def run(rows: list[list], *options: str, **given: object) -> dict:
        path, out = write_export(tmp_path / "export.xlsx", rows), tmp_path / "mine.yaml"
        assert main(["import", str(path), "--out", str(out), *options]) == 0
        names: dict = {"params_file": str(out), "arm": "sft_dpo", **given}
        for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
                exec("".join(cell["source"]), names)
        return json.loads((tmp_path / "runs/mine/01_data_prep/shared/stage.json").read_text("utf-8"))

    return run


def with_prescriptions(*texts: str) -> list[list]:
    return [[*r[:PRESCRIPTION], text, *r[PRESCRIPTION + 1 :]] for r, text in zip(ROWS, texts, strict=False)] + ROWS[
        len(texts) :
    ]


def test_an_export_that_was_imported_is_prepared_without_an_edited_file(prepare) -> None:
    done = prepare(ROWS)
    assert sum(row["cases"] for row in done["splits"]) == 40
    assert done["unread"] == {"share": 0, "prescriptions": []} and "spreadsheet" in done["read"]


def test_what_was_not_read_whole_is_in_the_funnel_and_in_the_table_with_its_text(prepare, capsys) -> None:
    strange = "针刺治疗，每周2次"
    done = prepare(with_prescriptions(strange))
    assert {"step": "cases kept, prescription not read whole", "cases": 1} in done["funnel"]
    assert done["funnel"][0]["cases"] == sum(row["cases"] for row in done["funnel"][1:]) == 40
    assert [row["as written"] for row in done["unread"]["prescriptions"]] == [strange]
    assert strange in capsys.readouterr().out


def test_more_loss_than_the_study_allows_stops_it(prepare) -> None:
    rows = with_prescriptions("针刺治疗，每周2次")
    assert prepare(rows, data_max_unread=0.05)["unread"]["share"] > 0
    with pytest.raises(CaseError, match=r"more than data_max_unread \(0\.0%\): line 2"):
        prepare(rows, "--force", data_max_unread=0.0)


def test_too_few_cases_stop_it_unless_the_key_allows_them(prepare) -> None:
    with pytest.raises(CaseError, match="too few cases: .* test cases .*data_allow_few: true"):
        prepare(ROWS[:8], "--allow-few", data_allow_few=False)
    assert prepare(ROWS[:8], "--allow-few", "--force")["splits"][2]["cases"] < 8
