"""Cases are read back from a file as they were written, and a file that is no such one is refused with its line."""

import json

import pytest

from tcm.cases import Answer, Case, CaseError, Patient, PrescriptionItem, Visit, read_cases, read_split, write_cases

ANSWER = Answer(
    disease="头痛",
    formula="川芎茶调散",
    prescription=(
        PrescriptionItem(herb="川芎", dose=9, dose_high=12),
        PrescriptionItem(herb="薄荷", dose=6, note="后下"),
        PrescriptionItem(herb="生姜", dose=3, unit="片"),
    ),
    packets=5,
    usage="水煎服",
)


def case(**values) -> Case:
    return Case(**{"id": "1", "source": "own", "patient_id": "p", "visit": {"chief_complaint": "失眠3月"}} | values)


def test_cases_are_read_back_as_they_were_written(tmp_path) -> None:
    earlier = (Visit(chief_complaint="失眠", answer=ANSWER),)
    written = [case(answer=ANSWER), case(id="2", earlier_visits=earlier, patient=Patient(sex="女", age=0.5))]
    write_cases(tmp_path / "c.jsonl", written)
    assert read_cases(tmp_path / "c.jsonl") == written


def test_han_text_stands_in_the_file_as_such(tmp_path) -> None:
    write_cases(tmp_path / "c.jsonl", [case()])
    assert "失眠3月" in (tmp_path / "c.jsonl").read_text("utf-8")


@pytest.mark.parametrize("separator", ["\u2028", "\u0085"])
def test_a_unicode_line_separator_in_a_text_does_not_end_the_record(tmp_path, separator: str) -> None:
    written = [case(visit={"history": f"失眠{separator}多梦"})]
    write_cases(tmp_path / "c.jsonl", written)
    assert read_cases(tmp_path / "c.jsonl") == written


def broken(folder, text: str) -> str:
    (folder / "c.jsonl").write_text(text, "utf-8")
    with pytest.raises(CaseError) as caught:
        read_cases(folder / "c.jsonl")
    return str(caught.value).removeprefix(f"{folder / 'c.jsonl'}")


def test_a_missing_file_names_the_notebook_that_writes_it(tmp_path) -> None:
    with pytest.raises(CaseError, match=r"no such file; run notebooks/01_data_prep\.ipynb first"):
        read_cases(tmp_path / "none.jsonl")


def test_an_empty_file_is_refused(tmp_path) -> None:
    assert broken(tmp_path, "\n\n") == ": no case in it; give at least one row"


def test_a_line_that_is_no_json_is_refused_with_its_number(tmp_path) -> None:
    good = case().model_dump_json()
    assert broken(tmp_path, f"{good}\n{{\n").startswith(":2: record: Invalid JSON")


def test_an_id_that_stands_twice_is_refused_with_both_lines(tmp_path) -> None:
    good = case().model_dump_json()
    assert broken(tmp_path, f"{good}\n\n{good}\n") == ":3: id: '1' stands already on line 1"


def test_a_split_is_read_back_from_what_01_data_prep_wrote(tmp_path) -> None:
    cases = [case(id=name) for name in ("c0", "c1", "c2")]
    write_cases(tmp_path / "cases.jsonl", cases)
    (tmp_path / "splits.json").write_text(json.dumps({"c0": "test", "c1": "train", "c2": "train"}), "utf-8")
    assert read_split(tmp_path, "train") == cases[1:]
    assert read_split(tmp_path, "validation") == []
