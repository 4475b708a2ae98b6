"""TCM-BEST4SDT records become cases of three kinds; what cannot be used is refused with file, record and field."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tcm.cases import CaseError
from tcm.knowledge import dose_in_g, resolve_herb
from tcm.sources import SOURCES
from tcm.sources.best4sdt import read_best4sdt

SAID = {
    "证型": "肝胃不和证、痰湿内阻证",
    "证型选项": "A:肝胃不和证;B:心脾两虚证",
    "病机": "肝失疏泄，胃失和降",
    "治则治法": "疏肝和胃、化痰降逆",
    "药物组成及用量": "柴胡9g；姜半夏9g；旋覆花9g（包煎）；炙甘草6g",
    "随症加减": "口苦者，加黄芩9g",
    "煎服方法": "水煎服，每日1剂，分2次服用",
    "注意事项": "忌食生冷",
}


def record(number: int = 7, text: str = "女，41岁。胸闷嗳气十日，舌淡红，苔白腻，脉弦滑。", **change: str) -> dict:
    said = {**SAID, **{field: value for field, value in change.items() if field in SAID}}
    lines = [f"{field}：{value}" for field, value in said.items() if value]
    return {
        "id": number,
        "instruction": text,
        "output": lines,
        "中医疾病诊断": change.get("disease", "胃痞（肝胃不和型）"),
    }


def write(folder: Path, *records: object) -> Path:
    path = folder / "sdt.json"
    path.write_text(json.dumps(list(records), ensure_ascii=False), "utf-8")
    return path


def read_one(folder: Path, **change: str):
    return read_best4sdt(write(folder, record(**change)))[0]


def refused(folder: Path, *records: object) -> str:
    with pytest.raises(CaseError) as caught:
        read_best4sdt(write(folder, *records))
    return str(caught.value).removeprefix(f"{folder}/sdt.json: ")


def test_a_record_becomes_a_case_with_every_field_in_its_place(tmp_path):
    case = SOURCES["best4sdt"](write(tmp_path, record())).cases[0]
    assert (case.id, case.source, case.patient.sex, case.patient.age) == ("best4sdt-7", "best4sdt/vignette", "女", 41)
    assert (case.visit.history, case.visit.tongue, case.visit.pulse) == (
        "女，41岁。胸闷嗳气十日",
        "舌淡红，苔白腻",
        "脉弦滑",
    )
    answer = case.answer
    assert (answer.disease, answer.syndrome) == ("胃痞", "肝胃不和证，痰湿内阻证")
    assert (answer.treatment_principle, answer.formula) == ("疏肝和胃，化痰降逆", "")
    assert [(i.herb, i.dose, i.note) for i in answer.prescription[1:3]] == [("姜半夏", 9, ""), ("旋覆花", 9, "包煎")]
    assert answer.usage == "水煎服，每日1剂，分2次服用" and case.modifications == "口苦者，加黄芩9g"


@pytest.mark.parametrize(
    "text, herbs, kind",
    [
        ("周某，男，55岁，2011年4月2日初诊。主诉：胃胀半年。", "柴胡9g", "clinical"),
        ("周某，男，55岁，2011年4月2日初诊。主诉：胃胀半年。", "生赭石（轧细）18g；生怀山药30g", "clinical"),
        ("年五旬，素嗜酒，胃中作胀。", "生赭石（轧细）18g；生怀山药30g", "classical"),
        ("我年四十，胃中作胀。", "党参9g；山药15g", "vignette"),
    ],
)
def test_the_kind_goes_by_a_date_then_by_the_hand_of_the_prescription(tmp_path, text, herbs, kind):
    assert read_one(tmp_path, text=text, 药物组成及用量=herbs).source == f"best4sdt/{kind}"


@pytest.mark.parametrize(
    "text, sex, age",
    [
        ("五十余岁男性，咳嗽。", "男", 50),
        ("我年近四十，素来急躁，胁痛。", "", 40),
        ("我年过六旬，头痛。", "", 60),
        ("患儿，女，2岁6月，腹泻。", "女", 2.5),
        ("患儿，男，1岁半，吐奶。", "男", 1.5),
        ("商人赵某，久咳。", "", None),
    ],
)
def test_sex_and_age_are_read_in_figures_and_in_han_numerals(tmp_path, text, sex, age):
    patient = read_one(tmp_path, text=text).patient
    assert (patient.sex, patient.age) == (sex, age)


def test_complaint_tongue_and_pulse_are_told_apart_from_the_history(tmp_path):
    text = "女，30岁。主诉：头痛三年。\n舌红，边有齿痕，苔黄，左手脉弦，右侧洪大，二便调。冠状动脉无异常。"
    visit = read_one(tmp_path, text=text).visit
    assert visit.chief_complaint == "头痛三年" and visit.tongue == "舌红，边有齿痕，苔黄"
    assert visit.pulse == "左手脉弦，右侧洪大" and "冠状动脉" in visit.history and "二便调" in visit.history


def test_the_task_and_a_diagnosis_in_the_text_are_no_findings(tmp_path):
    text = "女，30岁，带下量多。考虑湿邪所致，中医诊断为带下病（脾虚证）。请根据上述表现，进行辨证并处方。"
    assert read_one(tmp_path, text=text).visit.findings == "女，30岁，带下量多。考虑湿邪所致"


def test_long_instructions_are_cut_down_to_packets_and_times_a_day(tmp_path):
    long = "选用砂锅，冷水浸泡药材30分钟；武火煮沸后文火煎煮25分钟；每日1剂，分早晚两次温服，每次约150ml，连续服用5剂"
    answer = read_one(tmp_path, 煎服方法=long).answer
    assert (answer.usage, answer.packets) == ("每日1剂，分早晚两次温服", 5)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"instruction": None}, "record 1: instruction: missing or no str"),
        ({"output": "证型：甲"}, "record 1: output: missing or no list"),
        ({"id": "七"}, "record 1: id: missing or no int"),
        ({"instruction": "请根据下文处方。"}, "record 1: record: nothing to answer"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(tmp_path, change, message):
    assert refused(tmp_path, {**record(), **change}).startswith(message)


@pytest.mark.parametrize("field", ["证型", "治则治法", "药物组成及用量", "随症加减", "煎服方法"])
def test_a_missing_part_of_the_output_is_named(tmp_path, field):
    assert refused(tmp_path, record(), record(8, **{field: ""})).startswith(f"record 2: output.{field}: missing")


def test_a_prescription_without_a_herb_an_id_twice_and_a_wrong_file_are_refused(tmp_path):
    assert "record 1: output.药物组成及用量: no herb could be read in '。'" in refused(
        tmp_path, record(药物组成及用量="。")
    )
    assert refused(tmp_path, record(3), record(3)).startswith("record 2: id: 3 occurs twice")
    assert refused(tmp_path, "text").startswith("record 1: must be an object")
    assert refused(tmp_path) == "must be a list of at least one record"
    with pytest.raises(CaseError, match="no such file; correct data_path"):
        read_best4sdt(tmp_path / "absent.json")
    (tmp_path / "sdt.json").write_text("[\n{,}]", "utf-8")
    with pytest.raises(CaseError, match=r"sdt.json:2: no valid JSON"):
        read_best4sdt(tmp_path / "sdt.json")


def test_every_public_record_is_read_and_few_names_and_doses_stay_unread(best4sdt_path):
    cases = read_best4sdt(best4sdt_path)
    kinds = Counter(case.source.removeprefix("best4sdt/") for case in cases)
    assert len(cases) == 192 and kinds["clinical"] == 35 and 55 <= kinds["classical"] <= 75
    items = [item for case in cases for item in case.answer.prescription]
    assert sum(dose_in_g(item) is None for item in items) / len(items) < 0.03
    assert sum(resolve_herb(item.herb) is None for item in items) / len(items) < 0.05
    assert sum(case.patient.age is None for case in cases) < 15 and all(case.answer.syndrome for case in cases)


def test_the_ids_that_the_documentation_names_are_those_of_the_records(best4sdt_path):
    named = json.loads((Path(__file__).parents[3] / "docs" / "best4sdt-ids.json").read_text("utf-8"))
    assert {f"best4sdt-{number}" for number in named} == {case.id for case in read_best4sdt(best4sdt_path)}
    assert len(named) == len(set(named))
