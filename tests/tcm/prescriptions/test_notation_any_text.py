"""The reader of prescriptions raises on no text, and a dose is read, marked or named, never dropped."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcm.cases import PrescriptionItem
from tcm.prescriptions.notation import read_prescription, read_prescriptions
from tcm.prescriptions.writing import write_items, write_number

PIECES = st.sampled_from(
    [
        *"，、。；：（）()\n \t|/-+*各或和去加减改易为至一二三两半钱克剂付日次g钱0149",
        *(
            "桑叶",
            "菊花10g",
            "12克",
            "三钱",
            "七剂",
            "水煎服",
            "先煎",
            "先煎1小时",
            "上方",
            "原方",
            "守方",
            "同前",
            "余药同前",
        ),
        *(
            "内服：",
            "外洗：",
            "方一：",
            "①",
            "②",
            "另：",
            "每次3g",
            "各等分",
            "lOg",
            "0,5g",
            "￥1.20",
            "0.15元",
            "Y0012",
        ),
        *("焦三仙", "龙牡", "三七", "一枝黄花", "當歸", "鑫淼草", "<think>", "</think>", "处方：", "加大黄6g", "减半"),
    ]
)
TEXTS = st.text(st.characters(), max_size=120) | st.lists(PIECES, max_size=40).map("".join)
HERBS = st.sampled_from(["桑叶", "炙甘草", "三七粉", "生龙骨", "鑫淼草", "一枝黄花", "五加皮", "片姜黄", "代赭石"])
ITEMS = st.lists(
    st.builds(
        PrescriptionItem,
        herb=HERBS,
        dose=st.none() | st.integers(1, 200) | st.floats(0.01, 90),
        note=st.sampled_from(["", "先煎", "后下", "研末，分2次冲服"]),
        unit=st.sampled_from(["g", "g", "钱", "片", "枚"]),
    ),
    max_size=10,
).map(tuple)


@given(TEXTS, st.none() | TEXTS)
@settings(max_examples=500, deadline=None)
@example("上方", "上方")
@example("易为", "桑叶10g")
@example("1Og", None)
def test_no_text_raises(text, previous):
    for read in read_prescriptions(text, previous):
        assert len(read.items) == len(read.guesses)
        assert all(item.herb for item in read.items)


@given(ITEMS)
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_back_without_a_guess_of_the_dose(items):
    items = tuple(i.model_copy(update={"unit": "g"}) if i.dose is None else i for i in items)
    read = read_prescription(write_items(items))
    assert read.items == items and read.unread == () and not read.relative


@given(st.lists(PIECES, max_size=25).map("".join))
@settings(max_examples=500, deadline=None)
def test_a_dose_in_g_is_never_dropped(text):
    marked = "，".join((text, "77g"))
    said = []
    for read in read_prescriptions(marked):
        said += [*read.unread, read.usage, *(item.note for item in read.items), *read.guesses]
        said += [write_number(dose) for i in read.items for dose in (i.dose, i.dose_high) if dose]
        # a joint name without 各 shares the dose among its two or three herbs
        said += [write_number(round(i.dose * n, 6)) for i in read.items if i.dose for n in (2, 3)]
        said += [
            str(round(n * float(dose), 6))
            for p in read.unread
            for dose in re.findall(r"(\d+\.\d+)g", p)
            for n in (2, 3)
        ]
    assert any(re.search(r"(?<!\d)77(?!\d)", words) for words in said), said
