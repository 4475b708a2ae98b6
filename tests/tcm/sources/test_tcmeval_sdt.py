"""TCMEval-SDT's records become cases with a syndrome and without prescription; a record that cannot is named."""

import json
from pathlib import Path

import pytest

from tcm.cases import CaseError, Patient
from tcm.sources import SOURCES
from tcm.sources.tcmeval_sdt import read_tcmeval_sdt

SDT = {
    "Medical Record ID": "病例30",
    "Clinical Data": "男性，38岁。初诊:1979年。主诉及病史:鼻流血15天。舌质红，脉浮大数。",
    "TCM Syndrome": "热伤阳络;血热妄行;",
}


def sdt(folder: Path, rows: object) -> Path:
    path = folder / "sdt.json"
    path.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    return path


def test_a_tcmeval_record_becomes_a_case_with_a_syndrome_and_no_prescription(tmp_path) -> None:
    (case,) = read_tcmeval_sdt(sdt(tmp_path, [SDT]))
    assert (case.id, case.source, case.patient) == ("tcmeval-病例30", "tcmeval_sdt", Patient(sex="男", age=38))
    assert case.answer.syndrome == "热伤阳络，血热妄行" and case.answer.prescription == ()
    assert case.visit.history.startswith("男性，38岁")


def test_age_and_sex_that_a_tcmeval_record_does_not_open_with_stay_unknown(tmp_path) -> None:
    (case,) = read_tcmeval_sdt(sdt(tmp_path, [{**SDT, "Clinical Data": "主诉：咳嗽，患者之父60岁。"}]))
    assert case.patient.sex == ""


def test_a_tcmeval_record_without_a_field_is_refused_with_its_number(tmp_path) -> None:
    with pytest.raises(CaseError, match=r"sdt\.json: record 2: TCM Syndrome: missing"):
        read_tcmeval_sdt(sdt(tmp_path, [SDT, {k: v for k, v in SDT.items() if k != "TCM Syndrome"}]))


def test_a_missing_tcmeval_file_is_refused(tmp_path) -> None:
    with pytest.raises(CaseError, match="no such file; correct data_path"):
        read_tcmeval_sdt(tmp_path / "sdt.json")


@pytest.mark.parametrize(
    "text",
    [
        "[{",
        "[]",
        json.dumps([SDT, SDT]),
        json.dumps([{**SDT, "Clinical Data": "男，380岁。"}]),
        json.dumps([{**SDT, "Clinical Data": ""}]),
    ],
    ids=["no JSON", "empty", "duplicate id", "impossible age", "no findings"],
)
def test_a_bad_tcmeval_file_is_refused(tmp_path, text: str) -> None:
    (tmp_path / "sdt.json").write_text(text, "utf-8")
    with pytest.raises(CaseError, match=r"sdt\.json"):
        read_tcmeval_sdt(tmp_path / "sdt.json")


def test_tcmeval_has_200_records_with_a_syndrome_each(tcmeval_path) -> None:
    cases = SOURCES["tcmeval_sdt"](tcmeval_path).cases
    assert len(cases) == len({c.id for c in cases}) == 200
    assert all(c.answer.syndrome for c in cases)
    assert sum(c.patient.age is not None for c in cases) > 150
