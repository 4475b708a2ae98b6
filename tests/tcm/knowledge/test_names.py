"""Herb names in daily use resolve: variant characters, places, traditional script, joint names; rows have sources."""

import pytest

from tcm.knowledge import aliases, forms, herbs, joint_herbs, resolve_herb, simplified
from tcm.knowledge.rows import read_rows
from tcm.knowledge.tables import DATA, characters, joint_names, prefixes

TABLES = {
    "herb_joint_names.tsv": ("joint", "herbs", "source"),
    "herb_prefixes.tsv": ("prefix", "kind", "source"),
    "herb_characters.tsv": ("written", "standard", "source"),
}


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("勾藤", "钩藤"),
        ("旋复花", "旋覆花"),
        ("黄莲", "黄连"),
        ("石羔", "石膏"),
        ("黄耆", "黄芪"),
        ("栝楼", "瓜蒌"),
        ("桔皮", "陈皮"),
        ("广陈皮", "陈皮"),
        ("杭白芍", "白芍"),
        ("川黄连", "黄连"),
        ("大枸杞子", "枸杞子"),
        ("嫩钩藤", "钩藤"),
        ("黃耆", "黄芪"),
        ("製附子", "附子"),
        ("炒白朮", "白术"),
        ("麥門冬", "麦冬"),
        ("黄芪配方颗粒", "黄芪"),
        ("海南片", "槟榔"),
    ],
)
def test_a_name_as_people_write_it_resolves(written, base):
    assert resolve_herb(written).base == base


@pytest.mark.parametrize("name", ["川贝母", "川牛膝", "关木通", "桔梗", "明党参", "土茯苓"])
def test_a_place_or_character_that_makes_another_herb_stays(name):
    assert resolve_herb(name).base == name


@pytest.mark.parametrize("nonsense", ["大黄黄", "川川", "云", "怀山", "大大", "桔", "鑫淼草", "新疆"])
def test_nothing_is_made_up(nonsense):
    assert resolve_herb(nonsense) is None or resolve_herb(nonsense).canonical in aliases().values()
    assert joint_herbs(nonsense) == ()


@pytest.mark.parametrize(
    ("joint", "parts"),
    [
        ("青陈皮", ("青皮", "陈皮")),
        ("炒谷麦芽", ("炒谷芽", "炒麦芽")),
        ("煅龙牡", ("煅龙骨", "煅牡蛎")),
        ("焦三仙", ("焦六神曲", "焦麦芽", "焦山楂")),
        ("乳没", ("乳香", "没药")),
        ("酒芩连", ("酒黄芩", "酒黄连")),
        ("龍牡", ("龙骨", "牡蛎")),
        ("生黄芪", ()),
        ("白茅根", ()),
        ("紫丹参", ()),
    ],
)
def test_a_joint_name_gives_its_herbs(joint, parts):
    assert joint_herbs(joint) == parts


def test_no_name_of_the_tables_is_a_joint_name():
    known = [*herbs(), *forms(), *aliases()]
    assert [name for name in known if joint_herbs(name)] == []
    assert [joint for joint in joint_names() if joint in known] == []


def test_the_herbs_of_joint_names_are_those_of_the_tables():
    known = herbs().keys() | forms().keys()
    assert [(joint, herb) for joint, parts in joint_names().items() for herb in parts if herb not in known] == []
    assert all(len(parts) > 1 for parts in joint_names().values())


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_a_source(table):
    assert [row.line for row in read_rows(DATA, table, TABLES[table]) if not row.text("source")] == []


def test_the_tables_do_not_change_a_name_of_the_herb_tables():
    for name in (*herbs(), *forms()):
        assert resolve_herb(name).canonical == name
    for alias, canonical in aliases().items():
        assert resolve_herb(alias).canonical == canonical


def test_prefixes_and_characters_are_short():
    assert all(1 <= len(prefix) <= 3 for prefix in prefixes())
    assert all(len(c) == len(s) == 1 and c != s for c, standard in characters().items() for s in standard)


def test_script_is_made_simple_sign_for_sign():
    text = "黃耆30g（後下），當歸１２ｇ。水煎服，7劑😀"
    assert simplified(text) == "黄耆30g（后下），当归１２ｇ。水煎服，7剂😀"
    assert simplified("黄芪30g") == "黄芪30g"
