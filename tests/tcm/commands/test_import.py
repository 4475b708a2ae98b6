"""`./study import`: a hospital's export becomes a params file that a study can run, or every reason why not is said."""

import csv
import inspect
import re
from pathlib import Path

import pytest
import yaml
from hospital_export import HEADER, export_rows, write_export

from tcm.cases import splits
from tcm.commands.params_file import ROOM
from tcm_rlaif.runner.cli import main
from tcm_rlaif.study import params
from tcm_rlaif.study.schema import Params

ROWS = export_rows()
PRESCRIPTION, AGE = HEADER.index("中药处方"), HEADER.index("年龄")


def run(*arguments: object) -> int:
    return main(["import", *map(str, arguments)])


def changed(row: int, column: int, value: object) -> list[list]:
    return [[value if (i, j) == (row, column) else cell for j, cell in enumerate(r)] for i, r in enumerate(ROWS)]


@pytest.fixture
def export(tmp_path) -> Path:
    return write_export(tmp_path / "export.xlsx", ROWS)


def test_an_export_becomes_a_params_file_that_a_study_reads(tmp_path, export, capsys) -> None:
    out = tmp_path / "mine.yaml"
    assert run(export, "--out", out) == 0
    P = params.load(out)
    assert (P.study, P.data_source, P.data_path) == ("mine", "own", str(export))
    assert P.data_columns["visit"] == ("就诊日期", "初诊/复诊") and P.data_columns["tongue"] == ("舌质", "舌苔")
    assert P.eval_max_new_tokens > max(len(row[PRESCRIPTION]) for row in ROWS)
    said = capsys.readouterr().out
    assert "40 cases of 30 patients: 30 first and 10 follow-up visits" in said
    assert f"next: ./study run {out}" in said


def test_what_was_found_stands_in_the_file_as_comments_without_a_patient_s_words(tmp_path, export) -> None:
    run(export, "--out", tmp_path / "mine.yaml")
    head = [line for line in (tmp_path / "mine.yaml").read_text("utf-8").splitlines() if line.startswith("#")]
    assert any("doses and herb names read (100.0%)" in line for line in head)
    assert any("not used: 医师" in line for line in head) and any("masked" in line for line in head)


def test_five_cases_are_shown_as_the_model_would_read_them(export, capsys) -> None:
    assert run(export) == 0
    said = capsys.readouterr().out
    assert said.count("\n→ 中医诊断：") == 5 and "\n第1诊：" in said and "舌：舌" in said


def test_a_file_of_the_same_rows_in_gb18030_is_read_as_well(tmp_path, capsys) -> None:
    path = tmp_path / "export.csv"
    with path.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file, delimiter=";").writerows([HEADER, *ROWS])
    assert run(path, "--out", tmp_path / "mine.yaml") == 0
    assert "text in GB18030, separated by semicolons" in capsys.readouterr().out


def test_a_params_file_is_never_written_over_without_being_told(tmp_path, export, capsys) -> None:
    out = tmp_path / "mine.yaml"
    out.write_text("study: other\n", "utf-8")
    assert run(export, "--out", out) == 2 and out.read_text("utf-8") == "study: other\n"
    assert "--force" in capsys.readouterr().err
    assert run(export, "--out", out, "--force") == 0 and params.load(out).study == "mine"


def test_all_problems_are_said_by_kind_and_no_file_is_written(tmp_path, capsys) -> None:
    rows = [list(row) for row in ROWS]
    rows[0][AGE] = rows[1][AGE] = "很老"
    rows[2][HEADER.index("性别")] = "X"
    path, out = write_export(tmp_path / "export.xlsx", rows), tmp_path / "mine.yaml"
    assert run(path, "--out", out) == 2 and not out.exists()
    said = capsys.readouterr()
    assert "problems: 3" in said.out and "2 × age: no age" in said.out and "export.xlsx:4: sex: 'x'" in said.out
    assert "not usable: 3 problems" in said.err
    assert run(path, "--out", out, "--leave-out") == 0
    assert params.load(out).data_leave_out and "# left out: 2 records (age: no age)" in out.read_text("utf-8")


def test_merged_cells_are_refused_by_name_and_filled_on_request(tmp_path, capsys) -> None:
    second = next(i for i, row in enumerate(ROWS) if row[2] == "复诊") + 2
    path = write_export(tmp_path / "export.xlsx", ROWS, merge=f"A{second - 1}:A{second}")
    out = tmp_path / "mine.yaml"
    assert run(path, "--out", out) == 2 and not out.exists()
    assert f"rows {second - 1} to {second} of '病案号' are merged" in capsys.readouterr().out
    assert run(path, "--out", out, "--leave-out") == 2 and not out.exists(), "below a merged cell nothing was said"
    capsys.readouterr()
    assert run(path, "--out", out, "--fill-merged") == 0
    assert params.load(out).data_fill_merged
    assert "40 cases of 30 patients" in capsys.readouterr().out


def test_a_prescription_that_was_not_read_is_shown_and_many_are_refused(tmp_path, capsys) -> None:
    strange = "针刺治疗，每周2次"
    assert run(write_export(tmp_path / "one.xlsx", changed(4, PRESCRIPTION, strange))) == 0
    assert f"line 6: not read: '{strange}'" in capsys.readouterr().out
    out, lost = tmp_path / "mine.yaml", [[*r[:PRESCRIPTION], strange, *r[PRESCRIPTION + 1 :]] for r in ROWS]
    assert run(write_export(tmp_path / "all.xlsx", lost), "--out", out) == 2 and not out.exists()
    assert "were not read, more than --max-unread (5.0%)" in capsys.readouterr().err


def test_too_few_are_refused_unless_allowed(tmp_path, capsys) -> None:
    path, out = write_export(tmp_path / "few.xlsx", ROWS[:6]), tmp_path / "mine.yaml"
    assert run(path, "--out", out) == 2 and "too few: 2 test cases" in capsys.readouterr().err
    assert run(path, "--out", out, "--allow-few") == 0 and params.load(out).data_allow_few


def test_the_user_s_word_decides_which_column_is_which(tmp_path, export, capsys) -> None:
    assert (
        run(export, "--out", tmp_path / "mine.yaml", "--column", "history=主诉+现病史", "--column", "tongue=舌苔") == 0
    )
    columns = params.load(tmp_path / "mine.yaml").data_columns
    assert (columns["history"], columns["tongue"]) == (("主诉", "现病史"), "舌苔") and "chief_complaint" not in columns
    assert run(export, "--column", "体温=体温") == 2 and "write FIELD=COLUMN" in capsys.readouterr().err


def test_identifiers_are_masked_in_what_is_shown(tmp_path, capsys) -> None:
    said = "夜寐不安，电话13900000000"
    assert run(write_export(tmp_path / "a.xlsx", changed(0, HEADER.index("主诉"), said))) == 0
    shown = capsys.readouterr().out
    assert "夜寐不安，电话〔电话〕" in shown and "13900000000" not in shown and "masked: telephone number 1" in shown


@pytest.mark.parametrize("name", ["病历", "My Export 2024", "-"])
def test_the_study_is_named_as_the_file_as_far_as_a_folder_can_be(tmp_path, export, name: str) -> None:
    out = tmp_path / f"{name}.yaml"
    assert run(export, "--out", out) == 0
    assert yaml.safe_load(out.read_text("utf-8"))["study"] == params.load(out).study


def test_long_records_get_the_room_that_they_need_and_short_ones_that_of_the_other_file(tmp_path) -> None:
    long = changed(0, HEADER.index("现病史"), "反复胸闷心悸，" * 400)
    short = [[*row[:PRESCRIPTION], "远志6g，茯神9g", *row[PRESCRIPTION + 1 :]] for row in ROWS]
    for name, rows, wanted in (("long", long, 3100), ("short", short, Params().sft_max_length)):
        out = tmp_path / f"{name}.yaml"
        assert run(write_export(tmp_path / f"{name}.xlsx", rows), "--out", out) == 0
        assert params.load(out).sft_max_length >= wanted
    short, other = (params.load(path) for path in (tmp_path / "short.yaml", params.ROOT / "params/best4sdt.yaml"))
    assert all(getattr(short, key) == getattr(other, key) for key in ROOM)
    assert {key: getattr(Params(), key) for key in ROOM} == ROOM


def test_own_records_get_the_arms_and_settings_of_the_study_of_public_records(tmp_path, export) -> None:
    out, shipped = tmp_path / "mine.yaml", params.ROOT / "params"
    for name, model, options in (
        ("best4sdt", "tiny", ()),
        ("qwen-small", "some/model", ("--model", "some/model")),
        ("controls", "tiny", ("--like", shipped / "controls.yaml")),
    ):
        assert run(export, "--out", out, "--force", *options) == 0
        mine, other = params.load(out), params.load(shipped / f"{name}.yaml")
        settled = {key for key in params.differences(other) if key.partition("_")[0] in ("candidate", "pair", "dpo")}
        assert settled and all(getattr(mine, key) == getattr(other, key) for key in settled - {*ROOM})
        assert (mine.arms, mine.ablation_family, mine.judge) == (other.arms, other.ablation_family, ("evidence",))
        assert (mine.study, mine.data_source, mine.base_model, mine.sft_cases) == ("mine", "own", model, 0)
        assert re.search(rf"^# Arms and settings of \S*params/{name}.yaml;", out.read_text("utf-8"), re.MULTILINE)


def test_a_model_is_named_as_it_lies_and_one_of_a_hub_as_it_is_called(tmp_path, export, monkeypatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    for model, written in (("model", str(tmp_path / "model")), ("some/model", "some/model")):
        assert run(export, "--out", "mine.yaml", "--force", "--model", model) == 0
        assert params.load(tmp_path / "mine.yaml").base_model == written


@pytest.mark.parametrize("text", [None, "- a list", "study: [never closed"])
def test_what_is_no_params_file_to_take_settings_from_is_refused_before_records_are_read(
    tmp_path, capsys, text: str | None
) -> None:
    like, out = tmp_path / "like.yaml", tmp_path / "mine.yaml"
    if text is not None:
        like.write_text(text, "utf-8")
    assert run(tmp_path / "nothing.xlsx", "--out", out, "--like", like) == 2 and not out.exists()
    assert f"{like}: " in capsys.readouterr().err


def test_the_split_that_is_foretold_is_the_one_of_the_default_study() -> None:
    P = Params()
    defaults = {
        name: p.default for f in (splits.groups, splits.split) for name, p in inspect.signature(f).parameters.items()
    }
    assert defaults["near_duplicate"] == P.data_near_duplicate
    assert (defaults["validation"], defaults["test"]) == (P.data_validation_share, P.data_test_share)
    assert defaults["seed"] == P.data_seed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["--column", "history=现病史", "--column", "history=既往史"],
            "history is given twice; write history=COLUMN+COLUMN",
        ),
        (["--max-unread", "-1"], "--max-unread -1: is no share; give a number from 0 to 1"),
        (["--max-unread", "nan"], "--max-unread nan: is no share"),
        (["--max-unread", "5"], "--max-unread 5: is no share"),
    ],
)
def test_what_no_study_could_do_is_refused_in_one_line(tmp_path, export, capsys, given: list[str], said: str) -> None:
    out = tmp_path / "mine.yaml"
    assert main(["import", str(export), "--out", str(out), *given]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not out.exists()


def test_records_are_never_written_over_by_the_params_file(tmp_path, export, capsys) -> None:
    before = export.read_bytes()
    (tmp_path / "link").symlink_to(export)
    assert main(["import", str(export), "--force", "--allow-few", "--out", str(tmp_path / "link")]) == 2
    assert "is the file that is read; give --out another file" in capsys.readouterr().err
    assert export.read_bytes() == before
