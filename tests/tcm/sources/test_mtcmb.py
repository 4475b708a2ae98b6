"""MTCMB's two files become one case an id; files that do not belong together are refused with their line."""

import json
from pathlib import Path

import pytest

from tcm.cases import CaseError
from tcm.sources import SOURCES
from tcm.sources.mtcmb import read_mtcmb


def mtcmb(folder: Path, treatments: list[dict], diagnoses: list[dict]) -> Path:
    for name, rows in (("TCM-FRD.jsonl", treatments), ("TCM-Diagnosis.jsonl", diagnoses)):
        (folder / name).write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    return folder


QUESTION = "恶寒重，发热轻，咳嗽，痰稀，舌淡，苔薄，苔白，脉浮，脉紧。"
TREATMENT = {
    "id": 4,
    "question": QUESTION,
    "answer": {"治法": "辛温解表", "方剂": "荆防达表汤", "药物组成": "荆芥、防风，苏叶；生姜。"},
}
DIAGNOSIS = {"id": 4, "question": QUESTION, "answer": {"疾病名称": "感冒", "证名": "风寒束表"}}


def test_mtcmb_joins_treatment_and_diagnosis_by_id(tmp_path) -> None:
    other = {**TREATMENT, "id": 5, "answer": {"治法": "x", "方剂": "y", "药物组成": "甘草"}}
    (case,) = read_mtcmb(mtcmb(tmp_path, [other, TREATMENT], [DIAGNOSIS]))
    assert (case.id, case.source, case.answer.disease, case.answer.syndrome) == ("mtcmb-4", "mtcmb", "感冒", "风寒束表")
    assert (case.answer.treatment_principle, case.answer.formula) == ("辛温解表", "荆防达表汤")
    assert case.answer.herbs == ("荆芥", "防风", "苏叶", "生姜")
    assert {item.dose for item in case.answer.prescription} == {None}


def test_mtcmb_findings_are_sorted_into_history_tongue_and_pulse(tmp_path) -> None:
    visit = read_mtcmb(mtcmb(tmp_path, [TREATMENT], [DIAGNOSIS]))[0].visit
    assert visit.history == "恶寒重，发热轻，咳嗽，痰稀"
    assert (visit.tongue, visit.pulse) == ("舌淡，苔薄，苔白", "脉浮，脉紧")


def test_an_mtcmb_id_that_only_one_file_has_is_refused(tmp_path) -> None:
    folder = mtcmb(tmp_path, [TREATMENT], [DIAGNOSIS, {**DIAGNOSIS, "id": 9}])
    with pytest.raises(CaseError, match=r"TCM-Diagnosis\.jsonl:2: id: 9 is not in TCM-FRD\.jsonl"):
        read_mtcmb(folder)


def test_an_mtcmb_id_with_two_different_questions_is_refused(tmp_path) -> None:
    folder = mtcmb(tmp_path, [TREATMENT], [{**DIAGNOSIS, "question": "头痛。"}])
    with pytest.raises(CaseError, match=r"TCM-Diagnosis\.jsonl:1: question: differs from that of TCM-FRD\.jsonl"):
        read_mtcmb(folder)


def test_a_missing_mtcmb_file_is_refused(tmp_path) -> None:
    with pytest.raises(CaseError, match=r"TCM-FRD\.jsonl: no such file; correct data_path"):
        read_mtcmb(tmp_path)


@pytest.mark.parametrize("field", ["id", "question", "answer"])
def test_an_mtcmb_row_without_a_field_is_refused_with_its_line(tmp_path, field: str) -> None:
    folder = mtcmb(tmp_path, [TREATMENT], [{k: v for k, v in DIAGNOSIS.items() if k != field}])
    with pytest.raises(CaseError, match=rf"TCM-Diagnosis\.jsonl:1: {field}"):
        read_mtcmb(folder)


@pytest.mark.parametrize("rows", [([TREATMENT] * 2, [DIAGNOSIS]), ([TREATMENT], [DIAGNOSIS] * 2)])
def test_a_duplicate_mtcmb_id_is_refused(tmp_path, rows) -> None:
    with pytest.raises(CaseError, match="id: "):
        read_mtcmb(mtcmb(tmp_path, *rows))


def test_an_mtcmb_row_with_an_empty_question_is_refused_with_its_line(tmp_path) -> None:
    empty = [{**row, "question": ""} for row in (TREATMENT, DIAGNOSIS)]
    with pytest.raises(CaseError, match=r"TCM-Diagnosis\.jsonl:1: "):
        read_mtcmb(mtcmb(tmp_path, empty[:1], empty[1:]))


def test_mtcmb_has_200_cases_with_every_label_and_a_prescription(mtcmb_dir) -> None:
    cases = SOURCES["mtcmb"](mtcmb_dir).cases
    assert len(cases) == len({c.id for c in cases}) == 200
    for case in cases:
        answer = case.answer
        assert all((answer.disease, answer.syndrome, answer.treatment_principle, answer.formula, answer.prescription))
        assert case.task == "first_visit"


def test_the_first_mtcmb_case_is_wind_cold_with_eleven_herbs(mtcmb_dir) -> None:
    case = read_mtcmb(mtcmb_dir)[0]
    assert (case.answer.disease, case.answer.syndrome, len(case.answer.prescription)) == ("感冒", "风寒束表", 11)
    assert (case.visit.tongue, case.visit.pulse) == ("苔薄，苔白，苔润", "脉浮，脉紧")
