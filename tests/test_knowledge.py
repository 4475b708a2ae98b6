"""The knowledge tables are read strictly, names lead to one herb, and the facts agree with each other."""

import pytest

from tcm_rlaif.cases import PrescriptionItem
from tcm_rlaif.knowledge import TableError, compose, dose_in_g, herb_info, resolve_formula, resolve_herb, tables

HERBS_HEADER = "\t".join(tables.HERB_COLUMNS)
FU_ZI = "附子\t3\t15\t毒\t忌用\t\t先煎\t\t\tChP 2020 vol. I\t"


def write(folder, name, *lines):
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return folder


# reading

def test_a_form_inherits_what_its_row_leaves_empty(tmp_path):
    write(tmp_path, "herbs.tsv", HERBS_HEADER, FU_ZI)
    write(tmp_path, "herb_forms.tsv", "\t".join(tables.FORM_COLUMNS),
          "制附子\t附子\t制\t3\t9\t无\t\t\t\tChP 2020 vol. I\t")
    form = tables.read_forms(tmp_path, tables.read_herbs(tmp_path))["制附子"]
    assert (form.base, form.dose_max_g, form.toxicity, form.pregnancy, form.handling) == ("附子", 9, "", "忌用", "先煎")


@pytest.mark.parametrize(("line", "place"), [
    (FU_ZI.replace("15", "十五"), "herbs.tsv:2:dose_max_g: '十五' is no amount; write a number"),
    (FU_ZI.replace("15", "0"), "herbs.tsv:2:dose_max_g"),
    (FU_ZI.replace("15", "1"), "herbs.tsv:2:dose_max_g: no range from 3.0 to 1.0"),
    (FU_ZI.replace("\t毒", "\t剧毒"), "herbs.tsv:2:toxicity: unknown value '剧毒'; write one of"),
    (FU_ZI.replace("ChP 2020 vol. I", ""), "herbs.tsv:2:source: empty"),
    (FU_ZI + "\t", "12 cells where the header has 11"),
    (FU_ZI + "\n" + FU_ZI, "herbs.tsv:3:herb: '附子' stands already on line 2"),
])
def test_a_wrong_cell_is_named_by_file_line_and_column(tmp_path, line, place):
    write(tmp_path, "herbs.tsv", HERBS_HEADER, line)
    with pytest.raises(TableError) as error:
        tables.read_herbs(tmp_path)
    assert place in str(error.value)


def test_a_missing_column_is_named(tmp_path):
    write(tmp_path, "herbs.tsv", HERBS_HEADER.replace("\tpregnancy", ""), FU_ZI)
    with pytest.raises(TableError, match="herbs.tsv:1:pregnancy: column missing"):
        tables.read_herbs(tmp_path)


def pattern_row(folder, modifications):
    cells = ["不寐", "失眠", "内科", "肝火扰心证", "", "失眠", "口苦", "舌红", "弦|数", "肝火扰心", "疏肝泻火", "龙胆泻肝汤"]
    row = "\t".join([*cells, modifications, "", "", "教材"])
    write(folder, "patterns_internal.tsv", "\t".join(tables.PATTERN_COLUMNS), row)
    return tables.read_patterns(folder)[0]


def test_a_modification_adds_with_doses_and_removes(tmp_path):
    first, second = pattern_row(tmp_path, "若便溏:-栀子+炒白术 12|便秘:+大黄 6+枳实 9.5").modifications
    assert (first.symptom, first.add, first.remove) == ("便溏", (("炒白术", 12.0),), ("栀子",))
    assert second.add == (("大黄", 6.0), ("枳实", 9.5))


@pytest.mark.parametrize("broken", ["便溏", "便溏:", "便溏:炒白术 9", "便溏:+炒白术", ":+炒白术 9", "便溏:+大黄 9+大黄 6"])
def test_a_modification_that_cannot_be_read_is_refused(tmp_path, broken):
    with pytest.raises(TableError, match="patterns_internal.tsv:2:modifications"):
        pattern_row(tmp_path, broken)


# names

@pytest.mark.parametrize(("written", "canonical", "base"), [
    ("柴胡", "柴胡", "柴胡"),
    (" 柴 胡\n", "柴胡", "柴胡"),
    ("炙甘草", "炙甘草", "甘草"),
    ("甘草（炙）", "炙甘草", "甘草"),
    ("丹皮", "牡丹皮", "牡丹皮"),
    ("净山萸肉", "山茱萸", "山茱萸"),
    ("龙骨（先煎）", "龙骨", "龙骨"),
])
def test_a_herb_resolves_on_three_levels(written, canonical, base):
    name = resolve_herb(written)
    assert (name.written, name.canonical, name.base) == (written, canonical, base)


@pytest.mark.parametrize("nonsense", ["", " ", "（", "）（", "姜", "炒", "柴胡柴胡", "柴", "大补元气草", "炒" * 999, "a"])
def test_nothing_is_guessed(nonsense):
    assert resolve_herb(nonsense) is None


def test_a_known_name_goes_before_stripping():
    assert resolve_herb("生姜").base == "生姜" != resolve_herb("干姜").base


def test_an_unknown_herb_has_no_entry():
    with pytest.raises(KeyError, match="no herb '大补元气草'"):
        herb_info("大补元气草")


@pytest.mark.parametrize(("item", "grams"), [
    (PrescriptionItem(herb="柴胡", dose=10), 10),
    (PrescriptionItem(herb="柴胡", dose=9, dose_high=12), 10.5),
    (PrescriptionItem(herb="柴胡", dose=3, unit="钱"), 9),
    (PrescriptionItem(herb="石膏", dose=1, unit="两"), 30),
    (PrescriptionItem(herb="柴胡"), None),
    (PrescriptionItem(herb="竹沥", dose=30, unit="ml"), None),
    (PrescriptionItem(herb="柴胡", dose=3, unit="枚"), None),
    (PrescriptionItem(herb="大补元气草", dose=3, unit="枚"), None),
])
def test_a_dose_becomes_grams_or_nothing(item, grams):
    assert dose_in_g(item) == grams


def test_pieces_weigh_what_the_herb_table_says():
    piece_g = herb_info("大枣").piece_g
    assert dose_in_g(PrescriptionItem(herb="大枣", dose=5, unit="枚")) == 5 * piece_g
    assert dose_in_g(PrescriptionItem(herb="红枣", dose=5, unit="个")) == 5 * piece_g


@pytest.mark.parametrize(("text", "names"), [
    ("小柴胡汤合归脾汤加减", ("小柴胡汤", "归脾汤")),
    ("小柴胡汤和归脾汤加减", ("小柴胡汤", "归脾汤")),
    ("保和丸", ("保和丸",)),
    ("四君子汤加陈皮、半夏", ("四君子汤",)),
    ("加味八珍汤", ("八珍汤",)),
    ("四物汤，四物汤", ("四物汤",)),
    ("某某百合汤合四君子汤化裁", ("某某百合汤", "四君子汤")),
    ("四君子汤或六君子汤", ("四君子汤", "六君子汤")),
    ("加减", ()),
    ("", ()),
])
def test_a_formula_text_gives_its_formulas(text, names):
    assert resolve_formula(text) == names


def test_combining_takes_shared_herbs_once_with_the_larger_dose():
    one, other, both = compose("四君子汤"), compose("四物汤"), compose("四君子汤合四物汤")
    assert both == one | other
    shared = compose("四君子汤合归脾汤")
    assert shared["白术"] == max(compose("归脾汤")["白术"], one["白术"])
    assert sum(resolve_herb(h).base == "甘草" for h in shared) == 1


def test_an_alternative_gives_the_first_formula_and_an_unknown_one_nothing():
    assert compose("四君子汤或六君子汤") == compose("四君子汤")
    assert compose("某某百合汤") == {}
