"""A written prescription is read herb by herb with dose, unit and handling; packets and usage follow it."""

import pytest

from tcm.prescriptions.notation import read_prescription


def herbs(text):
    """(herb, dose, dose_high, unit, note) of each herb, the empty ends cut off."""
    return [(i.herb, i.dose, i.dose_high, i.unit, i.note) for i in read_prescription(text).items]


def one(text):
    items = herbs(text)
    assert len(items) == 1
    return items[0]


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("柴胡10g", ("柴胡", 10, None, "g", "")),
        ("柴胡 10 克", ("柴胡", 10, None, "g", "")),
        ("柴胡：10g", ("柴胡", 10, None, "g", "")),
        ("柴胡（10g）", ("柴胡", 10, None, "g", "")),
        ("柴胡10", ("柴胡", 10, None, "g", "")),
        ("柴胡9-12g", ("柴胡", 9, 12, "g", "")),
        ("柴胡９～１２克", ("柴胡", 9, 12, "g", "")),
        ("柴胡9g至12g", ("柴胡", 9, 12, "g", "")),
        ("麝香0.1g（冲服）", ("麝香", 0.1, None, "g", "冲服")),
        ("柴胡3钱", ("柴胡", 3, None, "钱", "")),
        ("柴胡三钱", ("柴胡", 3, None, "钱", "")),
        ("石膏二两半", ("石膏", 2.5, None, "两", "")),
        ("甘草钱半", ("甘草", 1.5, None, "钱", "")),
        ("大枣十二枚（擘，去核）", ("大枣", 12, None, "枚", "擘，去核")),
        ("生姜3片", ("生姜", 3, None, "片", "")),
        ("蜈蚣2条", ("蜈蚣", 2, None, "条", "")),
        ("葱白3根", ("葱白", 3, None, "根", "")),
        ("竹沥30ML", ("竹沥", 30, None, "ml", "")),
        ("三七片3g", ("三七片", 3, None, "g", "")),
        ("三七片", ("三七片", None, None, "g", "")),
        ("阿胶10g烊化", ("阿胶", 10, None, "g", "烊化")),
        ("龙骨（先煎）（打碎）30g", ("龙骨", 30, None, "g", "先煎，打碎")),
        ("甘草（炙）6g", ("甘草（炙）", 6, None, "g", "")),
        ("生姜适量", ("生姜", None, None, "g", "适量")),
    ],
)
def test_a_herb_with_its_dose(text, item):
    assert one(text) == item
    assert read_prescription(text).unread == ()


def test_each_gives_its_dose_to_the_herbs_before_it():
    doses = [(herb, dose) for herb, dose, *_ in herbs("党参20g，柴胡、黄芩各10g，白术 茯苓 各12g，龙骨、牡蛎（各30g）")]
    assert doses == [("党参", 20), ("柴胡", 10), ("黄芩", 10), ("白术", 12), ("茯苓", 12), ("龙骨", 30), ("牡蛎", 30)]


def test_herbs_without_doses_are_read():
    assert [h[0] for h in herbs("柴胡、黄芩、半夏、炙甘草")] == ["柴胡", "黄芩", "半夏", "炙甘草"]


def test_names_in_prose_count_only_where_the_herb_table_knows_them():
    read = read_prescription("柴胡10g。本方疏肝解郁，黄芩。")
    assert [item.herb for item in read.items] == ["柴胡", "黄芩"]
    assert read.unread == ("本方疏肝解郁",)


@pytest.mark.parametrize(
    ("text", "packets", "usage"),
    [
        ("柴胡10g。7剂，水煎服。", 7, "水煎服"),
        ("柴胡10g，十四付，每日一剂，水煎分两次服", 14, "每日一剂，水煎分两次服"),
        ("柴胡10g。日1剂，水煎服。", None, "日1剂，水煎服"),
        ("柴胡10g，共7剂", 7, ""),
        ("柴胡10g。水煎400ml，早晚分服，先煎30分钟。5剂", 5, "水煎400ml，早晚分服，先煎30分钟"),
        ("柴胡、黄芩。水煎服", None, "水煎服"),
    ],
)
def test_packets_and_usage_follow_the_herbs(text, packets, usage):
    read = read_prescription(text)
    assert (read.packets, read.usage, read.unread) == (packets, usage, ())
