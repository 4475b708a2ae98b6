"""What names a person is replaced by a typed mark in every usual format; what medicine needs stays as it is."""

import json

import planted_identifiers as planted
import pytest

from tcm import knowledge
from tcm.identifiers import mask_text
from tcm.identifiers.text import identifiers, suspicious

MASKED = {
    "患者周敏，女，頭暈": "患者〔姓名〕，女，頭暈",
    "患者：林涛": "患者：〔姓名〕",
    "姓名 郑爽 性别 女": "姓名 〔姓名〕 性别 女",
    "姓名：Zhou Min，女": "姓名：〔姓名〕，女",
    "其女吴小兰陪同": "其女〔姓名〕陪同",
    "由其子高飞代诉": "由其子〔姓名〕代诉",
    "邻居上官文静介绍来诊": "邻居〔姓名〕介绍来诊",
    "患儿小名果果，5岁": "患儿小名〔姓名〕，5岁",
    "经治医师/沈建军": "经治医师/〔姓名〕",
    "CT号 88410，X线号：0077123": "CT号 〔编号〕，X线号：〔编号〕",
    "就读于苏州三中，咽痛": "就读于〔单位〕，咽痛",
    "主治医师沈建军查房": "主治医师〔姓名〕查房",
    "请赵志刚教授会诊": "请〔姓名〕教授会诊",
    "诸葛明，男，52岁": "〔姓名〕，男，52岁",
    "于敏，女，40岁": "〔姓名〕，女，40岁",
    "钱某某，男": "〔姓名〕，男",
    "陈××，女，31岁": "〔姓名〕，女，31岁",
    "患者古丽娜·艾山，女": "患者〔姓名〕，女",
    "小林，女，9岁": "〔姓名〕，女，9岁",
    "住上海市徐汇区天平街道7号院2单元301，头痛": "住〔地址〕，头痛",
    "家住建设路18号4栋": "家住〔地址〕",
    "地址：和平里东街11号": "地址：〔地址〕",
    "021-52347788": "〔电话〕",
    "136 2222 8899": "〔电话〕",
    "１３６２２２２８８９９": "〔电话〕",
    "电话：+86 136-2222-8899": "电话：〔电话〕",
    "li.na@mail.example.cn": "〔邮箱〕",
    "微信号wx_lina2020": "微信号〔账号〕",
    "QQ 987654321": "QQ 〔账号〕",
    "住院号B654321，失眠": "住院号〔编号〕，失眠",
    "门诊号 00765432": "门诊号 〔编号〕",
    "医保卡号 6228001234567890555": "医保卡号 〔编号〕",
    "身份证11010519491231002X，失眠": "身份证〔证件号〕，失眠",
    "护照G87654321": "护照〔证件号〕",
    "22/09/15复诊": "〔日期〕复诊",
    "9月15日咳嗽": "〔日期〕咳嗽",
    "2021年9月15日初诊": "〔日期〕初诊",
    "二〇二一年九月十五日": "〔日期〕",
    "生于1931年": "生于〔日期〕",
    "在上海仁济医院就诊": "在〔单位〕就诊",
    "工作于长江电子有限公司": "工作于〔单位〕",
    "93岁，男": "90+岁，男",
    "九十三岁": "90+岁",
    "家属孙强（电话13622228899）": "家属〔姓名〕（电话〔电话〕）",
}
KEPT = (
    "失眠3月，加重3天，病程半年，2012年起",
    "月经周期28天，经期5天，末次月经半月前，经行第3日",
    "立夏后发作，冬至加重",
    "89岁，男",
    "120次/分，血压130/80mmHg，白细胞12.5×10^9/L，24 h尿蛋白1.2g",
    "每日1剂，分2次温服，7剂，加水1200ml",
    "患者平素易怒，患者黄疸，女，30岁，患者高热",
    "其母高血压病史，其父曾患胃痛",
    "于某院行手术，在当地医院治疗，外院查血，人民医院",
    "肝区隐痛，心前区不适，来自农村，生于江苏",
    "请上级医师会诊，任何医生均可，主任医师查房",
    "患者何时发病不详，常因情绪波动加重",
    "公司职员，大学文化，在校大学生",
    "黄芪15g，王不留行10g，何首乌12g，史国公药酒10ml，白术（炒）10g",
)


@pytest.mark.parametrize("text", MASKED)
def test_an_identifier_becomes_a_typed_mark(text: str) -> None:
    assert mask_text(text) == MASKED[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_medicine_needs_stays_as_it_is(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize("text", MASKED.values())
def test_a_masked_text_is_not_masked_again(text: str) -> None:
    assert mask_text(text) == text


def test_no_herb_or_formula_is_taken_for_a_person_or_a_place() -> None:
    names = {*knowledge.herbs(), *knowledge.forms(), *knowledge.aliases(), *knowledge.formulas()}
    ways = ("{}10g，甘草6g", "患者服{}后好转", "予{}，女贞子15g", "患者{}过敏", "，{}，水煎服", "其母曾服{}")
    wrong = [way.format(name) for name in names for way in ways if identifiers(way.format(name))]
    assert len(names) > 3000 and wrong == []


def test_symptoms_diseases_and_principles_of_the_tables_stay() -> None:
    patterns = knowledge.patterns()
    texts = {
        "，".join((p.disease, p.syndrome, p.treatment_principle, *p.key_symptoms, *p.other_symptoms)) for p in patterns
    }
    assert [text for text in texts if identifiers(f"患者{text}，女，40岁") or identifiers(text)] == []


@pytest.mark.parametrize("half", [planted.DEVELOPMENT, planted.HELD_OUT], ids=["development", "held out"])
def test_planted_identifiers_are_found_and_little_else_is(half: dict[str, list[str]]) -> None:
    given, caught, hits = dict.fromkeys(half, 0), dict.fromkeys(half, 0), []
    for record in planted.records(half, 150, seed=11):
        spans = [(span.first, span.end) for span in identifiers(record.text)]
        hits += planted.hits(record, spans)
        for (kind, *_), found in zip(record.planted, planted.covered(record, spans), strict=True):
            given[kind] += 1
            caught[kind] += found
    recall = {kind: caught[kind] / given[kind] for kind in half}
    assert sum(given.values()) >= 300
    assert min(recall["number"], recall["contact"]) >= 0.99 and min(recall.values()) >= 0.95, recall
    assert sum(hits) / len(hits) >= 0.99


def test_looser_wordings_are_found_too() -> None:
    records = planted.further()
    spans = [[(span.first, span.end) for span in identifiers(record.text)] for record in records]
    found = [planted.covered(record, places)[0] for record, places in zip(records, spans, strict=True)]
    assert sum(found) >= 0.95 * len(found), [r.text for r, yes in zip(records, found, strict=True) if not yes]


def test_textbook_cases_are_left_alone(mtcmb_dir) -> None:
    rows = [json.loads(line) for line in (mtcmb_dir / "TCM-FRD.jsonl").read_text("utf-8").splitlines()]
    texts = ["。".join([row["question"], *row["answer"].values()]) for row in rows]
    assert sum(bool(identifiers(text)) for text in texts) <= 0.01 * len(texts)


def test_clinical_records_lose_their_dates_names_and_hospitals_and_little_else(best4sdt_path) -> None:
    rows = json.loads(best4sdt_path.read_text("utf-8"))
    texts = [row["instruction"] for row in rows]
    kinds = [span.kind for text in texts for span in identifiers(text)]
    assert kinds.count("date") > 100 and kinds.count("name") > 50 and kinds.count("organisation") > 15
    answers = ["\n".join(row["output"]) for row in rows]  # nobody is named in an answer
    assert sum(bool(identifiers(text)) for text in answers) <= 0.01 * len(answers)


def test_what_no_rule_is_sure_of_is_pointed_out() -> None:
    assert [span.first for span in suspicious("高明，近日失眠，编码 20450912，电话改了")] != []
    assert suspicious("失眠多梦，口苦，舌红苔黄，电话〔电话〕") == []
