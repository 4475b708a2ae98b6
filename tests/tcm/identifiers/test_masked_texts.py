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
    "帕丽达·吐尔逊，女，哈萨克族，52岁": "〔姓名〕，女，哈萨克族，52岁",
    "次仁•旺堆 男 61岁": "〔姓名〕 男 61岁",
    "患者艾力·库尔班因胃痛来诊": "患者〔姓名〕因胃痛来诊",
    "其母帕丽达·吐尔逊代诉": "其母〔姓名〕代诉",
    "米热古丽，女，柯尔克孜族": "〔姓名〕，女，柯尔克孜族",
    "央金，女，38岁，藏族": "〔姓名〕，女，38岁，藏族",
    "患者努尔古丽，维吾尔族，胃痛": "患者〔姓名〕，维吾尔族，胃痛",
    "萨仁高娃（女，47岁）": "〔姓名〕（女，47岁）",
    "患儿糖糖，男，3岁": "患儿〔姓名〕，男，3岁",
    "患儿小满 女 5岁": "患儿〔姓名〕 女 5岁",
    "现与儿子林大海同住": "现与儿子〔姓名〕同住",
    "与女儿沈小雨一起居住": "与女儿〔姓名〕一起居住",
    "郑 某，男": "〔姓名〕，男",
    "患者：梁 某某，女": "患者：〔姓名〕，女",
    "于 某，男，50岁": "〔姓名〕，男，50岁",
    "住上海市徐汇区天平街道7号院2单元301，头痛": "住〔地址〕，头痛",
    "家住建设路18号4栋": "家住〔地址〕",
    "药快递至昆明市五华区青年路二段36号": "药快递至〔地址〕",
    "代煎后邮寄到长沙市雨花区": "代煎后邮寄到〔地址〕",
    "寄往解放北路3段5号2栋": "寄往〔地址〕",
    "学府路一段24号": "〔地址〕",
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
    "22/9/5复查": "〔日期〕复查",
    "97.3.8日入院": "〔日期〕入院",
    "二诊：10.17": "二诊：〔日期〕",
    "四诊 3/9 药后眠安": "四诊 〔日期〕 药后眠安",
    "复诊（12.5）：两胁痛减": "复诊（〔日期〕）：两胁痛减",
    "三诊：10.17两胁痛减": "三诊：〔日期〕两胁痛减",
    "首诊日期：21.9.5": "首诊日期：〔日期〕",
    "92年11月入院": "〔日期〕入院",
    "胃痛，19年4月初诊": "胃痛，〔日期〕初诊",
    "9月15日咳嗽": "〔日期〕咳嗽",
    "2021年9月15日初诊": "〔日期〕初诊",
    "二〇二一年九月十五日": "〔日期〕",
    "生于1931年": "生于〔日期〕",
    "在上海仁济医院就诊": "在〔单位〕就诊",
    "工作于长江电子有限公司": "工作于〔单位〕",
    "93岁，男": "90+岁，男",
    "九十三岁": "90+岁",
    "年龄：93，男": "年龄：90+，男",
    "现年101": "现年90+",
    "年龄 九十三": "年龄 90+",
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
    "患者，女，维吾尔族，45岁；患儿，男，藏族；农民，女，蒙古族；头晕，女，彝族，60岁",
    "普通，女，藏族，生于西藏，家族史阴性，古方·今用，《素问·痹论》",
    "患儿纳差，女，4岁；患儿腹泻，男，2岁；患儿频频，男，3岁；患儿刚刚3岁；患儿小便黄，女，5岁",
    "患儿爷爷，70岁；患儿妈妈，女，30岁；患儿宝宝，女，1岁",
    "与女儿同住，与儿子孙子同住，与老伴常年同住，与女儿女婿同住，与家人温馨同住，与儿子曾同住，与丈夫同居",
    "体温 36.5，脉率/体温 36.5，附子11.22g，血压120/80/70，血压 120/80，复诊",
    "复诊：5.6mmol/L，二诊：36.5℃，三诊 3.5g，初诊 7.5分，二诊：1.5天后，复诊 7-10天，二诊：2.5日一行，三诊：1.5小时",
    "二诊：1.头晕2.乏力；二诊：1.15g；复诊 3.5-4.0",
    "病程60年3月起，患病20年3月就诊，病程：10年3月，就诊，婚后10年3月",
    "快递至家中，寄至当地，寄到单位，快递到付，寄生虫，邮寄煎药",
    "年龄：89，年龄：95天，年龄：92日龄，年龄：95±3，绝经年龄50岁，年龄：九十余天，骨龄95",
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


@pytest.mark.parametrize("text", ["沃尔夫，男，俄罗斯族", "患儿晨曦，女，4岁", "10.17 三诊"])
def test_a_form_that_could_also_be_an_ordinary_word_is_pointed_out(text: str) -> None:
    assert mask_text(text) == text and len(suspicious(text)) == 1


@pytest.mark.parametrize(
    "text", ["患者，女，藏族", "农民，男，苗族", "头晕，女，彝族", "患儿腹泻，男，2岁", "患儿妈妈，女，30岁"]
)
def test_ordinary_words_before_sex_and_people_are_not_pointed_out(text: str) -> None:
    assert suspicious(text) == []


def test_no_word_of_the_tables_is_taken_for_a_name_of_another_people_or_a_pet_name() -> None:
    words = {*knowledge.herbs(), *knowledge.aliases(), *knowledge.formulas(), *knowledge.symptom_synonyms()}
    ways = ("{}，女，4岁", "{}，女，藏族，", "患儿{}，女，4岁", "患者{}，女，4岁")
    assert [way.format(word) for word in words for way in ways if identifiers(way.format(word))] == []
