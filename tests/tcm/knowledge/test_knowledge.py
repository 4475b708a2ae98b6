"""The knowledge tables are read strictly, names lead to one herb, and the facts agree with each other."""

import json
import statistics
from collections import Counter

import pytest

from tcm.cases import PrescriptionItem
from tcm.knowledge import (
    TableError,
    aliases,
    compose,
    dose_in_g,
    forms,
    formulas,
    groups,
    herb_info,
    herbs,
    incompatibilities,
    parse,
    patterns,
    resolve_formula,
    resolve_herb,
    symptom_synonyms,
)

HERBS_HEADER = "\t".join(parse.HERB_COLUMNS)
FU_ZI = "附子\t3\t15\t毒\t忌用\t\t先煎\t\t\tChP 2020 vol. I\tChP-ocr\t"


def write(folder, name, *lines):
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return folder


# reading


def test_a_form_inherits_what_its_row_leaves_empty(tmp_path):
    write(tmp_path, "herbs.tsv", HERBS_HEADER, FU_ZI)
    write(
        tmp_path,
        "herb_forms.tsv",
        "\t".join(parse.FORM_COLUMNS),
        "制附子\t附子\t制\t3\t9\t无\t\t\t\tChP 2020 vol. I\tmemory\t",
    )
    form = parse.read_forms(tmp_path, parse.read_herbs(tmp_path))["制附子"]
    assert (form.base, form.dose_max_g, form.toxicity, form.pregnancy, form.handling) == ("附子", 9, "", "忌用", "先煎")


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (FU_ZI.replace("15", "十五"), "herbs.tsv:2:dose_max_g: '十五' is no amount; write a number"),
        (FU_ZI.replace("15", "0"), "herbs.tsv:2:dose_max_g"),
        (FU_ZI.replace("15", "1"), "herbs.tsv:2:dose_max_g: no range from 3.0 to 1.0"),
        (FU_ZI.replace("\t毒", "\t剧毒"), "herbs.tsv:2:toxicity: unknown value '剧毒'; write one of"),
        (FU_ZI.replace("ChP 2020 vol. I", ""), "herbs.tsv:2:source: empty"),
        (FU_ZI + "\t", "13 cells where the header has 12"),
        (FU_ZI + "\n" + FU_ZI, "herbs.tsv:3:herb: '附子' stands already on line 2"),
    ],
)
def test_a_wrong_cell_is_named_by_file_line_and_column(tmp_path, line, place):
    write(tmp_path, "herbs.tsv", HERBS_HEADER, line)
    with pytest.raises(TableError) as error:
        parse.read_herbs(tmp_path)
    assert place in str(error.value)


def test_a_missing_column_is_named(tmp_path):
    write(tmp_path, "herbs.tsv", HERBS_HEADER.replace("\tpregnancy", ""), FU_ZI)
    with pytest.raises(TableError, match="herbs.tsv:1:pregnancy: column missing"):
        parse.read_herbs(tmp_path)


def pattern_row(folder, modifications):
    cells = ["不寐", "", "内科", "肝火扰心证", "", "失眠", "口苦", "舌红", "弦|数", "肝火", "疏肝泻火", "龙胆泻肝汤"]
    row = "\t".join([*cells, modifications, "", "", "教材"])
    write(folder, "patterns_internal.tsv", "\t".join(parse.PATTERN_COLUMNS), row)
    return parse.read_patterns(folder)[0]


def test_a_modification_adds_with_doses_and_removes(tmp_path):
    first, second = pattern_row(tmp_path, "若便溏:-栀子+炒白术 12|便秘:+大黄 6+枳实 9.5").modifications
    assert (first.symptom, first.add, first.remove) == ("便溏", (("炒白术", 12.0),), ("栀子",))
    assert second.add == (("大黄", 6.0), ("枳实", 9.5))


@pytest.mark.parametrize("broken", ["便溏", "便溏:", "便溏:大黄 9", "便溏:+大黄", ":+大黄 9", "便溏:+大黄 9+大黄 6"])
def test_a_modification_that_cannot_be_read_is_refused(tmp_path, broken):
    with pytest.raises(TableError, match="patterns_internal.tsv:2:modifications"):
        pattern_row(tmp_path, broken)


# names


@pytest.mark.parametrize(
    ("written", "canonical", "base"),
    [
        ("柴胡", "柴胡", "柴胡"),
        (" 柴 胡\n", "柴胡", "柴胡"),
        ("炙甘草", "炙甘草", "甘草"),
        ("甘草（炙）", "炙甘草", "甘草"),
        ("丹皮", "牡丹皮", "牡丹皮"),
        ("净山萸肉", "山茱萸", "山茱萸"),
        ("龙骨（先煎）", "龙骨", "龙骨"),
        ("犀角（水牛角）", "水牛角", "水牛角"),
    ],
)
def test_a_herb_resolves_on_three_levels(written, canonical, base):
    name = resolve_herb(written)
    assert (name.written, name.canonical, name.base) == (written, canonical, base)


@pytest.mark.parametrize("nonsense", ["", " ", "（", "）（", "姜", "炒", "柴胡柴胡", "柴", "大补元气草", "炒" * 999])
def test_nothing_is_guessed(nonsense):
    assert resolve_herb(nonsense) is None


def test_a_known_name_goes_before_stripping():
    assert resolve_herb("生姜").base == "生姜" != resolve_herb("干姜").base


def test_an_unknown_herb_has_no_entry():
    with pytest.raises(KeyError, match="no herb '大补元气草'"):
        herb_info("大补元气草")


@pytest.mark.parametrize(
    ("item", "grams"),
    [
        (PrescriptionItem(herb="柴胡", dose=10), 10),
        (PrescriptionItem(herb="柴胡", dose=9, dose_high=12), 10.5),
        (PrescriptionItem(herb="柴胡", dose=3, unit="钱"), 9),
        (PrescriptionItem(herb="石膏", dose=1, unit="两"), 30),
        (PrescriptionItem(herb="石膏", dose=0.5, unit="斤"), 250),
        (PrescriptionItem(herb="柴胡"), None),
        (PrescriptionItem(herb="竹沥", dose=30, unit="ml"), None),
        (PrescriptionItem(herb="柴胡", dose=3, unit="枚"), None),
        (PrescriptionItem(herb="大补元气草", dose=3, unit="枚"), None),
    ],
)
def test_a_dose_becomes_grams_or_nothing(item, grams):
    assert dose_in_g(item) == grams


def test_pieces_weigh_what_the_herb_table_says():
    piece_g = herb_info("大枣").piece_g
    assert dose_in_g(PrescriptionItem(herb="大枣", dose=5, unit="枚")) == 5 * piece_g
    assert dose_in_g(PrescriptionItem(herb="红枣", dose=5, unit="个")) == 5 * piece_g


@pytest.mark.parametrize(
    ("text", "names"),
    [
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
    ],
)
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


# the facts


def in_range(herb, grams):
    info = herb_info(herb)
    return info.dose_min_g is not None and info.dose_min_g <= grams <= info.dose_max_g


def test_the_tables_are_large_enough():
    assert len(herbs()) >= 350
    assert len(formulas()) >= 150
    assert len(patterns()) >= 150
    assert {p.department for p in patterns()} == {"内科", "妇科", "儿科", "外科"}


def test_every_herb_of_a_formula_exists():
    known = herbs().keys() | forms().keys()
    assert [(f.name, herb) for f in formulas().values() for herb, _ in f.composition if herb not in known] == []


def test_every_dose_of_a_formula_lies_in_range_or_has_its_reason():
    odd = [
        (f.name, herb, grams)
        for f in formulas().values()
        for herb, grams in f.composition
        if not in_range(herb, grams) and herb not in f.note.partition("dose:")[2]
    ]
    assert odd == []


def test_no_alias_of_a_formula_names_two():
    names = Counter(alias for f in formulas().values() for alias in f.aliases)
    assert [alias for alias, count in names.items() if count > 1 or alias in formulas()] == []


def test_every_formula_of_a_pattern_exists():
    named = [(p.disease, p.syndrome, part) for p in patterns() for text in p.formulas for part in resolve_formula(text)]
    assert [name for name in named if name[2] not in formulas()] == []
    assert all(p.formulas for p in patterns())


def test_every_herb_of_a_modification_exists_in_an_ordinary_dose():
    known = herbs().keys() | forms().keys()
    rules = [(p, rule) for p in patterns() for rule in p.modifications]
    assert [
        (p.disease, p.syndrome, herb)
        for p, rule in rules
        for herb in (*dict(rule.add), *rule.remove)
        if herb not in known
    ] == []
    assert [
        (p.disease, p.syndrome, herb, grams)
        for p, rule in rules
        for herb, grams in rule.add
        if not in_range(herb, grams)
    ] == []


def test_a_modification_removes_only_what_the_formulas_hold():
    def bases(names):
        return {resolve_herb(name).base for name in names}

    odd = [
        (p.disease, p.syndrome, herb)
        for p in patterns()
        for rule in p.modifications
        for herb in rule.remove
        if not any(bases([herb]) <= bases(compose(text)) for text in p.formulas)
    ]
    assert odd == []


def test_an_alias_leads_to_one_herb_and_is_none_itself():
    known = herbs().keys() | forms().keys()
    assert [(alias, name) for alias, name in aliases().items() if name not in known or alias in known] == []


def test_the_incompatibility_rules_are_complete_and_name_groups_of_base_herbs():
    rules = Counter(rule.kind for rule in incompatibilities())
    assert rules["十八反"] >= 10 and rules["十九畏"] == 9
    assert {g for rule in incompatibilities() for g in (rule.group_a, rule.group_b)} <= groups().keys()
    assert {herb for members in groups().values() for herb in members} <= herbs().keys()
    assert {"川乌", "草乌", "附子"} <= groups()["乌头类"]


def test_the_83_toxic_herbs_of_the_pharmacopoeia_are_marked_and_classed():
    marked = [herb for herb in (*herbs().values(), *forms().values()) if "ChP83" in herb.note]
    assert len(marked) == 83
    assert all(herb.toxicity for herb in marked)


def test_a_symptom_with_synonyms_is_one_that_patterns_name():
    named = {symptom for p in patterns() for symptom in (*p.key_symptoms, *p.other_symptoms)}
    assert [symptom for symptom in symptom_synonyms() if symptom not in named] == []
    assert all(synonyms and symptom not in synonyms for symptom, synonyms in symptom_synonyms().items())


# against cases from textbooks


def answers(folder):
    lines = (folder / "TCM-FRD.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["answer"] for line in lines]


def herbs_of(answer):
    return [name for name in answer["药物组成"].strip("、").split("、") if name.strip()]


def test_at_least_97_percent_of_the_herbs_of_textbook_cases_resolve(mtcmb_dir):
    names = [name for answer in answers(mtcmb_dir) for name in herbs_of(answer)]
    unknown = Counter(name for name in names if resolve_herb(name) is None)
    assert len(names) > 1800
    assert unknown.total() / len(names) <= 0.03, unknown


def test_our_compositions_agree_with_the_textbook_cases_that_name_the_formula(mtcmb_dir):
    scores = []
    for answer in answers(mtcmb_dir):
        parts = resolve_formula(answer["方剂"])
        if "或" in answer["方剂"] or not set(parts) <= formulas().keys():
            continue
        ours = {resolve_herb(name).base for name in compose(answer["方剂"])}
        theirs = {name.base if (name := resolve_herb(written)) else written for written in herbs_of(answer)}
        scores.append(2 * len(ours & theirs) / (len(ours) + len(theirs)))
    assert len(scores) >= 100
    assert statistics.median(scores) >= 0.80
