"""Columns of hospitals' tables are recognised by name, by a word, by their contents; what is unsure is said."""

import csv
from pathlib import Path

import pytest

from tcm.sources.columns import Proposal, propose
from tcm.sources.tables import read_table


def proposed(folder: Path, given: dict | None = None, **columns: list) -> Proposal:
    path = folder / "病历.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    return propose(read_table(path), given)


def test_the_columns_of_an_outpatient_export_are_recognised(tmp_path) -> None:
    names = "病案号 就诊日期 性别 年龄 主诉 现病史 刻下症 舌质 舌苔 脉象 中医诊断 证型 治法 方剂 中药处方 医师".split()
    found = proposed(tmp_path, **{"初诊/复诊": ["初诊"], **{n: ["x"] for n in names}, "就诊日期": ["2024-03-05"]})
    assert found.columns == {
        "patient_id": "病案号",
        "visit": ("就诊日期", "初诊/复诊"),
        "sex": "性别",
        "age": "年龄",
        "chief_complaint": "主诉",
        "history": ("现病史", "刻下症"),
        "tongue": ("舌质", "舌苔"),
        "pulse": "脉象",
        "disease": "中医诊断",
        "syndrome": "证型",
        "treatment_principle": "治法",
        "formula": "方剂",
        "prescription": "中药处方",
    }
    assert found.unused == ("医师",) and not found.unsure


def test_our_own_names_are_columns_too(tmp_path) -> None:
    found = proposed(tmp_path, id=[1], chief_complaint=["失眠"], tongue=["淡"], prescription=["远志6g"])
    assert found.columns == {name: name for name in ("id", "chief_complaint", "tongue", "prescription")}


@pytest.mark.parametrize("name", ["年龄(岁)", "年龄（岁）", " 年 龄"])
def test_units_in_brackets_and_blanks_do_not_hide_a_name(tmp_path, name: str) -> None:
    assert proposed(tmp_path, **{name: [45]}).columns == {"age": name.strip()}


def test_a_word_in_a_longer_name_is_taken_and_said(tmp_path) -> None:
    found = proposed(tmp_path, 门诊现病史摘要=["失眠"])
    assert found.columns == {"history": "门诊现病史摘要"}
    assert found.unsure == ("history: '门诊现病史摘要' is taken for it by a word in its name",)


@pytest.mark.parametrize("name", ["西医诊断", "既往病史", "处方医师", "处方日期", "家族史", "开方科室"])
def test_columns_that_only_sound_like_ours_are_left(tmp_path, name: str) -> None:
    assert proposed(tmp_path, **{name: ["x"]}).columns == {}


def test_of_two_names_for_one_field_the_surer_is_taken_and_the_other_said(tmp_path) -> None:
    found = proposed(tmp_path, 疾病=["不寐"], 中医诊断=["不寐"])
    assert found.columns == {"disease": "中医诊断"}
    assert found.unsure == ("disease: '中医诊断' is taken, '疾病' could be it too",)


def test_a_column_for_the_whole_tongue_goes_before_its_parts(tmp_path) -> None:
    assert proposed(tmp_path, 舌质=["淡"], 舌象=["舌淡苔白"]).columns == {"tongue": "舌象"}


def test_whether_a_column_holds_formulas_or_herbs_is_seen_in_its_cells(tmp_path) -> None:
    herbs, formulas = ["黄芪15g，白术9g", "远志6g，茯神9g"], ["归脾汤加减", "二陈汤"]
    assert proposed(tmp_path, 方药=herbs).columns == {"prescription": "方药"}
    assert proposed(tmp_path, 方药=formulas, 处方=herbs).columns == {"formula": "方药", "prescription": "处方"}
    assert proposed(tmp_path, 方剂=herbs).columns == {"prescription": "方剂"}


def test_a_number_that_occurs_twice_counts_patients_not_records(tmp_path) -> None:
    found = proposed(tmp_path, 编号=[1, 1, 2], 主诉=["a", "b", "c"])
    assert found.columns["patient_id"] == "编号" and "id" not in found.columns
    assert proposed(tmp_path, 编号=[1, 2, 3], 主诉=["a", "b", "c"]).columns["id"] == "编号"


def test_a_name_tells_patients_apart_only_where_nothing_better_does_and_that_is_said(tmp_path) -> None:
    assert proposed(tmp_path, 病案号=[1], 姓名=["某"]).columns == {"patient_id": "病案号"}
    found = proposed(tmp_path, 姓名=["某"])
    assert found.columns == {"patient_id": "姓名"} and "names go into runs/" in found.unsure[0]


def test_a_kind_of_clinic_is_no_visit_whatever_its_column_is_called(tmp_path) -> None:
    assert proposed(tmp_path, 就诊类型=["专家门诊", "普通门诊"]).columns == {}
    assert proposed(tmp_path, 就诊类型=["初诊", "复诊"]).columns == {"visit": "就诊类型"}


def test_what_the_user_says_goes_before_every_name(tmp_path) -> None:
    found = proposed(tmp_path, {"history": ("现病史", "既往史")}, 现病史=["a"], 既往史=["b"], 刻下症=["c"])
    assert found.columns == {"history": ("现病史", "既往史")} and found.unused == ("刻下症",)
