"""Any text is read without an error, what cannot be read is said, and what was written is read back."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcm import answers
from tcm.answers import format_valid, missing_fields, parse, write
from tcm.cases import Answer, PrescriptionItem

PAPER = (
    "中医诊断：不寐。证型：肝郁脾虚。治法：清利肝胆，健脾养心。方剂：小柴胡汤合归脾汤加减。"
    "处方：柴胡10g，黄芩12g，龙骨30g（先煎），大枣5枚。7剂，水煎服。"
)
ANSWER = Answer(
    disease="不寐",
    syndrome="肝郁脾虚",
    treatment_principle="清利肝胆，健脾养心",
    formula="小柴胡汤合归脾汤加减",
    prescription=(
        PrescriptionItem(herb="柴胡", dose=10),
        PrescriptionItem(herb="黄芩", dose=12),
        PrescriptionItem(herb="龙骨", dose=30, note="先煎"),
        PrescriptionItem(herb="大枣", dose=5, unit="枚"),
    ),
    packets=7,
    usage="水煎服",
)


# the layout


def test_the_layout_is_read_and_written():
    assert parse(PAPER) == type(parse(PAPER))(ANSWER, ())
    assert write(ANSWER) == PAPER


def test_an_empty_answer_is_empty_text():
    assert write(Answer()) == ""
    assert parse("").answer == Answer()


@pytest.mark.parametrize(
    "text",
    [
        PAPER.replace("：", ":").replace("g，", "g,").replace("（", "(").replace("）", ")"),
        PAPER.replace("。", "\n"),
        PAPER.replace("。", "；\n\n"),
        PAPER.replace("中医诊断", "**中医诊断**").replace("证型", "**辨证**").replace("处方", "## 处方"),
        PAPER.replace("中医诊断：", "【病名】").replace("证型：", "【证候】").replace("处方：", "【药物组成】"),
        PAPER.replace("中医诊断", "1. 诊断").replace("证型", "2. 辨证").replace("治法", "3、治则"),
        PAPER.replace("治法", "3）治则").replace("方剂", "（4）选方"),
        PAPER.replace("10g", "１０ｇ").replace("12g", " 12 克").replace("5枚", "五枚"),
        '{"中医诊断": "不寐", "证型": "肝郁脾虚", "治法": "清利肝胆，健脾养心", "方剂": "小柴胡汤合归脾汤加减", '
        '"处方": "柴胡10g，黄芩12g，龙骨30g（先煎），大枣5枚。7剂，水煎服"}',
        PAPER.replace("7剂", "7付").replace("，黄芩", "、黄芩").replace("，龙骨", "\t龙骨"),
        PAPER.replace("g，", "g "),
        PAPER.replace("7剂，水煎服", "水煎服，共七剂"),
        PAPER.replace("7剂，水煎服", "用法：7剂 水煎服"),
        PAPER.replace("龙骨30g（先煎）", "龙骨（先煎）30g"),
        PAPER.replace("龙骨30g（先煎）", "龙骨30g先煎"),
        PAPER.replace("龙骨30g（先煎）", "龙骨（30g，先煎）"),
        PAPER.replace("g，", "g ").replace("。7剂，", " 7剂 "),
        "### 中医诊断\n不寐\n\n### 证型\n肝郁脾虚\n\n**治法**\n清利肝胆，健脾养心\n\n"
        "方剂\n小柴胡汤合归脾汤加减\n\n处方\n"
        "| 药物 | 剂量 |\n|---|---|\n| 柴胡 | 10g |\n"
        "| 黄芩 | 12g |\n| 龙骨 | 30g（先煎） |\n| 大枣 | 5枚 |\n\n7剂\n水煎服",
        PAPER.replace("龙骨30g（先煎）", "龙骨先煎30g"),
    ],
)
def test_other_ways_to_write_the_same_answer(text):
    assert parse(text).answer == ANSWER
    assert parse(text).unread == ()


def test_fields_come_in_any_order_and_may_be_missing():
    answer = parse("处方：柴胡10g。证型：肝郁脾虚。中医诊断：不寐").answer
    assert (answer.disease, answer.syndrome, answer.herbs) == ("不寐", "肝郁脾虚", ("柴胡",))
    assert missing_fields(answer) == ("treatment_principle", "formula")


def test_the_first_of_a_repeated_field_wins_and_the_rest_is_reported():
    parsed = parse(PAPER + "证型：心脾两虚。处方：人参9g。14剂。")
    assert parsed.answer == ANSWER
    assert parsed.unread == ("证型：心脾两虚", "处方：人参9g。14剂。")


def test_text_that_belongs_to_no_field_is_reported():
    parsed = parse("您好。" + PAPER + "\n按语：本方疏肝。\n谢谢")
    assert parsed.answer == ANSWER
    assert parsed.unread == ("您好。", "按语：本方疏肝。\n谢谢")


def test_a_western_diagnosis_is_no_chinese_one():
    parsed = parse("西医诊断：失眠症。中医诊断：不寐。")
    assert parsed.answer.disease == "不寐"
    assert parsed.unread == ("西医诊断：失眠症。",)


@pytest.mark.parametrize(
    "text",
    [
        "方药：归脾汤加减。黄芪15g，党参12g。7剂，水煎服。",
        "方药：归脾汤加减（黄芪15g，党参12g）。7剂，水煎服。",
        "方药：归脾汤加减：黄芪15g，党参12g，7剂，水煎服",
        "处方：归脾汤加减：黄芪15g，党参12g，7剂，水煎服",
        "处方：归脾汤加减\n黄芪15g\n党参12g\n7剂\n水煎服",
        "方剂：归脾汤加减\n组成：\n1. 黄芪 15g\n2. 党参 12g\n7剂，水煎服",
        "方药：归脾汤加减 黄芪15g 党参12g。7剂，水煎服",
        "方药：归脾汤加减黄芪15g，党参12g。7剂，水煎服",
        "处方：归脾汤加减，黄芪15g，党参12g，7剂，水煎服",
    ],
)
def test_a_formula_may_stand_in_one_field_with_its_herbs(text):
    answer = parse(text).answer
    assert (answer.formula, answer.herbs, answer.packets, answer.usage) == ("归脾汤加减", ("黄芪", "党参"), 7, "水煎服")


@pytest.mark.parametrize(("text", "first"), [("石膏：60g；知母：12g", "石膏"), ("先煎：磁石20g，知母：12g", "磁石")])
def test_neither_a_herb_nor_handling_before_a_colon_is_a_formula(text, first):
    answer = parse(f"处方：{text}").answer
    assert answer.formula == "" and answer.herbs == (first, "知母")


def test_a_text_without_labels_is_a_prescription_where_it_has_doses():
    assert parse("柴胡10g，黄芩12g。7剂").answer.herbs == ("柴胡", "黄芩")
    assert parse("柴胡和黄芩").unread == ("柴胡和黄芩",)


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ("柴胡10袋", ("10袋",)),
        ("柴胡0g", ("0g",)),
        ("abc10g", ("abc", "10g")),
        ("柴胡10g12g", ("12g",)),
        ("君药：柴胡10g", ("君药：",)),
    ],
)
def test_what_cannot_be_read_is_said(text, unread):
    assert parse("处方：" + text).unread == unread


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (PAPER, True),
        (PAPER.replace("10g", ""), False),
        (PAPER.replace("证型：肝郁脾虚。", ""), False),
        (PAPER + "证型：心脾两虚。", False),
        ("您好！" + PAPER, False),
        ("", False),
    ],
)
def test_the_layout_is_valid_only_whole(text, valid):
    assert format_valid(text) is valid


# any text

HAN = st.sampled_from("肝郁脾虚心肾气血阴阳湿热痰瘀风寒清养健疏和胃安神补益活通络")
WORDS = st.text(HAN, min_size=1, max_size=8)
TEXT = st.lists(WORDS, min_size=1, max_size=3).map("，".join)
HERB = st.sampled_from(
    [
        "柴胡",
        "炙甘草",
        "三七",
        "三七粉",
        "半夏",
        "五味子",
        "生龙骨",
        "甘草（炙）",
        "白花蛇舌草",
        "百合",
        "麸炒枳壳",
        "千年健",
        "两面针",
        "六一散",
        "分心木",
        "片姜黄",
        "附片",
        "大补元气草",
    ]
)
DOSE = st.floats(0.001, 5000) | st.integers(1, 100)
NOTE = st.sampled_from(["", "先煎", "后下", "包煎", "擘，去核", "研末，分2次冲服", "先煎30分钟"])
ITEM = st.builds(
    PrescriptionItem,
    herb=HERB,
    dose=DOSE,
    dose_high=st.none() | DOSE,
    note=NOTE,
    unit=st.sampled_from(["g", "g", "钱", "枚", "片", "条", "个", "根", "ml"]),
) | st.builds(PrescriptionItem, herb=HERB, note=NOTE)
USAGE = st.sampled_from(["", "水煎服", "日1剂，水煎，早晚分服。忌辛辣", "随意", "加水500ml，取汁200ml", "送服三七粉3g"])
ANSWERS = st.builds(
    Answer,
    disease=st.just("") | WORDS,
    syndrome=st.just("") | TEXT,
    formula=st.just("") | TEXT,
    treatment_principle=st.just("") | TEXT,
    prescription=st.lists(ITEM, max_size=12).map(tuple),
    packets=st.none() | st.integers(1, 60),
    usage=USAGE,
)
FRAGMENTS = st.sampled_from(
    [*"：:，,。（）()【】*1一各g克钱枚-~7剂汤\n 甘", "处方", "证型：", "中医诊断", "方药：", "柴胡", "10g", "水煎"]
)


@given(ANSWERS)
@settings(max_examples=300, deadline=None)
@example(Answer(prescription=(PrescriptionItem(herb="六一散"),), usage="送服三七粉3g"))
@example(Answer(packets=7, usage="水煎服"))
@example(Answer(prescription=(PrescriptionItem(herb="六一散"), PrescriptionItem(herb="柴胡", dose=1))))
def test_what_is_written_is_read_back(answer):
    parsed = parse(write(answer))
    assert parsed.answer == answer
    assert parsed.unread == ()


@given(st.text(st.characters(), max_size=200) | st.lists(FRAGMENTS, max_size=60).map("".join))
@settings(max_examples=400, deadline=None)
@example("\ud800处方：柴胡10g")
@example("处方：" + "三钱" * 3000)
@example("处方：" + "柴" * 3000 + "9" * 3000 + "g")
def test_no_text_raises(text):
    parsed = parse(text)
    assert isinstance(write(parsed.answer), str)
    assert isinstance(format_valid(text), bool)


@given(ANSWERS, st.data())
@settings(max_examples=150, deadline=None)
def test_no_damaged_answer_raises(answer, data):
    text = write(answer)
    for _ in range(3):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(FRAGMENTS) + text[at + data.draw(st.integers(0, 3)) :]
    parse(text)


@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "（",
        "(10g)",
        "柴胡10g，",
        "10",
        "各",
        "柴",
        "柴，",
        "甘草（",
        "处方：",
        "方药：",
        "。",
        "。柴胡",
        "一钱",
        "先煎",
        "*",
        "\n",
    ],
)
def test_no_text_sends_the_reader_round_in_circles(unit):
    start = time.process_time()  # of this process alone: a busy machine changes nothing
    parse("处方：柴胡10g，" + unit * (20_000 // len(unit)) + "x")
    assert time.process_time() - start < 20, "a quadratic search would take minutes"


def test_text_beyond_the_limit_is_reported_not_read():
    parsed = parse(PAPER + "，" * 20_000 + "证型：肝郁")
    assert parsed.answer == ANSWER
    assert parsed.unread[-1].endswith("证型：肝郁")


@pytest.mark.parametrize("label", ["剂数", "付数", "帖数", "贴数"])
@pytest.mark.parametrize("number", ["7", "7剂", "7付"])
def test_a_number_of_packets_under_its_own_label_is_no_herb(label: str, number: str) -> None:
    read = answers.parse(f"处方：柴胡10g，黄芩6g。{label}：{number}")
    assert (read.answer.herbs, read.answer.packets, read.unread) == (("柴胡", "黄芩"), 7, ())


@pytest.mark.parametrize(
    "text", ["各10g：柴胡、黄芩；甘草6g", "各10g 柴胡、黄芩，甘草6g", "各10克：柴胡、黄芩，甘草6克"]
)
def test_a_dose_of_each_before_its_herbs_is_not_given_to_the_first_alone_without_a_word(text: str) -> None:
    read = answers.parse(f"处方：{text}")
    doses = {item.herb: item.dose for item in read.answer.prescription}
    assert doses == {"柴胡": None, "黄芩": None, "甘草": 6} and any("10" in piece for piece in read.unread)
