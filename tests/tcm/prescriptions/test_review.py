"""What a pharmacist would ask is found, only where the record gives cause, and with a source that can be looked up."""

import pytest

from tcm.cases import Patient
from tcm.knowledge import resolve_herb
from tcm.knowledge.tables import review_rules
from tcm.prescriptions.notation import read_prescription
from tcm.prescriptions.review import KINDS, review


def asked(text: str, findings: str = "") -> list[tuple[str, str, str]]:
    return [(f.kind, f.severity, "".join(f.herbs)) for f in review(read_prescription(text).items, findings)]


@pytest.mark.parametrize(
    ("prescription", "findings", "expected"),
    [
        ("犀角1g，生地黄24g", "", [("banned", "high", "犀角")]),
        ("穿山甲6g", "", [("banned", "high", "穿山甲")]),
        ("关木通6g", "", [("banned", "high", "关木通")]),
        ("木通6g", "", []),
        ("何首乌10g", "", [("liver", "low", "何首乌")]),
        ("制首乌10g", "", [("liver", "low", "制首乌")]),
        ("丹参15g", "房颤，长期口服华法林", [("interaction", "high", "丹参")]),
        ("丹参15g", "房颤", []),
        ("丹参15g", "未服用华法林", []),
        ("炙甘草6g", "心衰，服地高辛、呋塞米", [("interaction", "medium", "炙甘草")] * 2),
        ("麻黄6g", "正在服用单胺氧化酶抑制剂", [("interaction", "high", "麻黄")]),
        ("炒麦芽30g", "产后3月，哺乳期", [("lactation", "medium", "炒麦芽")]),
        ("炒麦芽30g", "非哺乳期", []),
        ("红花6g", "妊娠近3月，腰酸", [("pregnancy", "low", "红花")]),
        ("三棱6g", "孕12+周", [("pregnancy", "high", "三棱")]),
        ("红花6g", "停经50天，尿HCG（+）", [("pregnancy", "low", "红花")]),
        ("红花6g", "孕2产1，曾孕3月时流产，备孕，不孕2年，否认早孕，避孕", []),
        ("白术10g", "早孕，胎动不安", []),
        ("当归10g，白术10g", "对当归、海鲜过敏", [("allergy", "high", "当归")]),
        ("当归10g", "当归过敏史", [("allergy", "high", "当归")]),
        ("当归10g", "否认对当归过敏", []),
        ("当归10g", "对青霉素过敏", []),
        ("生石膏30g", "", [("decoction", "low", "生石膏")]),
        ("生石膏30g（先煎）", "", []),
        ("附子10g", "", [("decoction", "medium", "附子")]),
        ("阿胶9g", "", [("decoction", "low", "阿胶")]),
        ("阿胶9g（烊化）", "", []),
        ("当归300g，黄芪200g", "", [("size", "low", "")]),
    ],
)  # fmt: skip
def test_what_is_asked(prescription: str, findings: str, expected: list) -> None:
    assert asked(prescription, findings) == expected


@pytest.mark.parametrize(
    ("prescription", "findings", "age", "expected"),
    [
        ("罂粟壳3g", "", 5, [("child", "high")]),
        ("罂粟壳3g", "", 14, []),
        ("罂粟壳3g", "", None, []),
        ("生麻黄5g", "", 13.5, [("child", "low")]),
        ("番泻叶3g", "", 64, []),
        ("番泻叶3g", "", 65, [("elderly", "low")]),
        ("牵牛子3g", "", 80, [("elderly", "medium")]),
        ("青葙子10g", "青光眼病史", 50, [("condition", "high")]),
        ("青葙子10g", "无青光眼", 50, []),
        ("肉桂3g", "血小板减少，有出血倾向", None, [("condition", "medium")]),
        ("炒麦芽10g", "纯母乳喂养", 0.5, []),
        ("炒麦芽10g", "母乳喂养", 30, [("lactation", "medium")]),
        ("番泻叶3g", "心衰，口服地高辛", None, [("interaction", "medium")]),
    ],
)
def test_what_depends_on_age_and_disease(prescription: str, findings: str, age: float | None, expected: list) -> None:
    found = review(read_prescription(prescription).items, findings, patient=Patient(age=age))
    assert [(f.kind, f.severity) for f in found if f.kind != "decoction"] == expected


def test_a_usage_that_names_the_herb_has_said_how_to_boil_it() -> None:
    items = read_prescription("附子10g").items
    assert review(items, usage="附子先煎一小时") == []


def test_many_herbs_are_asked_about() -> None:
    names = [rule.herb for rule in review_rules()][:1] * 26
    items = read_prescription("，".join(f"{name}0.1g" for name in names)).items
    assert ("size", "low", "") in [(f.kind, f.severity, "".join(f.herbs)) for f in review(items)]


def test_every_rule_is_about_a_herb_of_the_tables_and_has_a_source() -> None:
    assert all(resolve_herb(rule.herb) and resolve_herb(rule.herb).canonical == rule.herb for rule in review_rules())
    assert all(rule.source and rule.kind in KINDS for rule in review_rules())


@pytest.mark.parametrize("patient", [Patient(sex="女", pregnant=True), Patient(sex="男")])
def test_a_pregnancy_that_the_record_has_a_field_for_is_no_question(patient: Patient) -> None:
    assert review(read_prescription("红花6g").items, "孕12周", patient=patient) == []
