"""The audit finds what its rules forbid and finds nothing in an ordinary prescription."""

import pytest

from tcm.cases import Patient, PrescriptionItem
from tcm.prescriptions.notation import read_prescription
from tcm.prescriptions.safety import KINDS, audit, child_fraction

ADULT = Patient(sex="女", age=45)


def found(text, patient=ADULT, **more):
    """(rule, herbs, severity) of each finding in a prescription text."""
    return [(f.rule, f.herbs, f.severity) for f in audit(read_prescription(text).items, patient, **more)]


def test_an_ordinary_prescription_breaks_no_rule():
    assert found("柴胡9g，黄芩9g，法半夏9g，党参9g，炙甘草6g，生姜9g，大枣10g") == []
    assert audit((), ADULT) == []


@pytest.mark.parametrize(
    ("text", "rule", "herbs", "severity"),
    [
        ("制附子6g，法半夏9g", "IC-18-01", ("制附子", "法半夏"), "high"),
        ("黑顺片6g，瓜蒌皮9g", "IC-18-02", ("黑顺片", "瓜蒌皮"), "high"),
        ("制川乌3g，浙贝母9g", "IC-18-03", ("制川乌", "浙贝母"), "high"),
        ("炙甘草6g，海藻9g", "IC-18-08", ("炙甘草", "海藻"), "high"),
        ("人参9g，五灵脂6g", "IC-19-08", ("人参", "五灵脂"), "medium"),
        ("丁香2g，郁金9g", "IC-19-05", ("丁香", "郁金"), "medium"),
    ],
)
def test_incompatible_herbs_are_found_through_forms_and_aliases(text, rule, herbs, severity):
    assert (rule, herbs, severity) in found(text)


def test_a_bath_or_a_warning_beside_a_decoction_does_not_turn_the_rules_off():
    decoction = "生半夏30g，制附子60g，甘草6g。6剂，水煎服"
    alone = found(decoction)
    assert {"IC-18-01", "DOSE-HI"} <= {rule for rule, *_ in alone}
    for more in ("。艾叶30g煎水泡脚", "，另以苦参30g煎水外洗", "，药渣泡脚"):
        read = read_prescription(decoction + more)
        assert [(f.rule, f.herbs, f.severity) for f in audit(read.items, ADULT, usage=read.usage)] == alone, more
    assert found("生半夏30g", usage="煎汤熏洗，不可内服") == []


def test_each_pair_of_an_incompatibility_is_one_finding():
    herbs = [h for rule, h, _ in found("制附子6g，川贝母6g，浙贝母9g") if rule == "IC-18-03"]
    assert sorted(herbs) == [("制附子", "川贝母"), ("制附子", "浙贝母")]


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("柴胡11g", "low"),
        ("柴胡25g", "medium"),
        ("柴胡50g", "high"),
        ("柴胡9-11g", "low"),
        ("柴胡4钱", "low"),
        ("蒺藜12g", "medium"),
        ("制附子30g（先煎）", "high"),
    ],
)
def test_an_overdose_is_graver_for_a_toxic_herb(text, severity):
    assert found(text) == [("DOSE-HI", (read_prescription(text).items[0].herb,), severity)]


def test_the_ends_of_the_range_are_no_finding_and_less_is_an_underdose():
    assert found("柴胡3g") == found("柴胡10g") == found("柴胡") == []
    assert found("柴胡2g") == [("DOSE-LO", ("柴胡",), "low")]


@pytest.mark.parametrize(
    ("age", "fraction"),
    [
        (0.02, 1 / 6),
        (0.5, 1 / 3),
        (1, 1 / 2),
        (5.9, 1 / 2),
        (6, 2 / 3),
        (11, 2 / 3),
        (12, 1),
        (70, 1),
        (None, 1),
    ],
)
def test_a_child_gets_a_share_of_the_adult_dose(age, fraction):
    assert child_fraction(age) == fraction


def test_an_adult_dose_is_an_overdose_for_a_small_child():
    child = Patient(age=3)
    assert found("柴胡5g", child) == []
    assert found("柴胡10g", child) == [("DOSE-HI", ("柴胡",), "low")]
    assert "0.5 of the adult dose" in audit(read_prescription("柴胡10g").items, child)[0].detail


def test_pregnancy_classes_are_found_only_in_pregnancy():
    pregnant = Patient(sex="女", age=30, pregnant=True)
    assert ("PREG-禁用", ("三棱",), "high") in found("三棱6g", pregnant)
    assert ("PREG-慎用", ("桃仁",), "low") in found("桃仁6g", pregnant)
    assert found("三棱6g，桃仁6g") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("生半夏6g", [("TOX-RAW", ("生半夏",), "high")]),
        ("半夏6g", [("TOX-FORM", ("半夏",), "low")]),
        ("川乌2g", [("TOX-FORM", ("川乌",), "medium")]),
        ("清半夏6g", []),
        ("附子6g", []),
        ("生附子6g", [("TOX-RAW", ("生附子",), "high")]),
        ("生半夏6g（外用）", []),
    ],
)
def test_toxic_herbs_must_be_processed_for_internal_use(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("朱砂0.3g", [("ROUTE-丸散", ("朱砂",), "medium")]),
        ("朱砂0.3g（冲服）", []),
        ("土荆皮6g", [("ROUTE-外用", ("土荆皮",), "high")]),
    ],
)
def test_a_herb_keeps_to_its_route(text, expected):
    assert found(text) == expected


def test_external_use_switches_off_the_rules_for_internal_use():
    assert found("土荆皮30g，生半夏30g", usage="煎汤外洗") == []
    assert found("土荆皮6g", usage="水煎服，药渣外敷") == [("ROUTE-外用", ("土荆皮",), "high")]


def test_an_unknown_herb_is_named():
    assert found("柴胡9g，大补元气草10g") == [("HERB-UNKNOWN", ("大补元气草",), "medium")]


def test_duplicates_go_by_the_base_herb():
    assert found("柴胡9g，黄芩9g，柴胡6g") == [("HERB-TWICE", ("柴胡", "柴胡"), "medium")]
    assert found("生甘草6g，炙甘草6g") == [("HERB-TWICE", ("生甘草", "炙甘草"), "low")]
    assert found("生地黄12g，熟地黄12g，白芍9g，赤芍9g，茯苓10g，茯神10g") == []
    assert found("生地黄12g，熟地黄12g，熟地黄9g") == [("HERB-TWICE", ("生地黄", "熟地黄", "熟地黄"), "medium")]


@pytest.mark.parametrize(
    ("packets", "usage", "contradicts"),
    [
        (7, "水煎服", False),
        (7, "每日 1剂，水煎服", False),
        (7, "14剂，水煎服", True),
        (7, "日1剂，连服7天", False),
        (7, "日1剂，连服14天", True),
        (7, "2日1剂，连服14天", False),
        (None, "5剂，后再5剂", False),
    ],
)
def test_contradicting_numbers_of_packets_are_found(packets, usage, contradicts):
    assert found("柴胡9g", packets=packets, usage=usage) == [("PACKETS-CONTRADICT", (), "low")] * contradicts


def test_every_finding_names_its_source():
    text = "制附子30g，法半夏9g，大补元气草1g，朱砂2g，朱砂2g，生半夏1g"
    findings = audit(read_prescription(text).items, Patient(sex="女", pregnant=True), 7, "14剂")
    assert {f.kind for f in findings} == set(KINDS)
    assert all(f.source and f.detail for f in findings)
    assert [KINDS.index(f.kind) for f in findings] == sorted(KINDS.index(f.kind) for f in findings)


def test_the_audit_raises_on_no_item():
    odd = [PrescriptionItem(herb="）（", dose=1e9, unit="?"), PrescriptionItem(herb="大枣", dose=3, unit="箱")]
    assert [f.rule for f in audit(odd)] == ["HERB-UNKNOWN"]
