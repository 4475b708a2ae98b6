"""Labels of probes: by the tables where they hold the pattern, by stated words else, and none where nothing is told."""

import pytest

from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.knowledge import patterns
from tcm_rlaif.evaluation import probe_labels
from tcm_rlaif.evaluation.probe_labels import cold_heat, deficiency_excess, labels, tongue, usable


@pytest.mark.parametrize(
    ("syndrome", "nature", "force"),
    [
        ("风寒束表", "cold", "excess"),
        ("胃热炽盛", "heat", "excess"),
        ("脾胃虚寒", "cold", "deficiency"),
        ("肾阴虚", "heat", "deficiency"),
        ("阴虚火旺", "heat", "deficiency"),
        ("上热下寒", "both", "excess"),
        ("气虚血瘀", "neither", "both"),
        ("气血亏虚", "neither", "deficiency"),
    ],
)
def test_a_syndrome_that_names_its_nature_is_read_by_its_name_alone(syndrome: str, nature: str, force: str) -> None:
    assert (cold_heat(syndrome, ""), deficiency_excess(syndrome, "")) == (nature, force)


def test_a_name_that_tells_nothing_is_read_by_what_is_done_about_it() -> None:
    assert cold_heat("冲任失调", "温经通脉") == "cold" and cold_heat("心肾不交", "滋阴清热") == "heat"
    assert deficiency_excess("冲任失调", "补肾养血") == "deficiency"
    assert deficiency_excess("脾失健运", "消食导滞") == "excess"
    assert (cold_heat("", ""), deficiency_excess("", "")) == ("neither", "neither")


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("舌淡红，苔薄白", "light red"),
        ("舌红，少苔", "red"),
        ("舌质淡，苔黄", "pale"),
        ("舌暗红有瘀点，苔白腻", "dark"),
        ("苔薄黄", None),  # a coat's colour is not the body's
        ("", None),
    ],
)
def test_the_tongue_is_the_colour_of_its_body(text: str, colour: str | None) -> None:
    assert tongue(text) == colour


def case(answer: Answer | None, before: Answer | None = None) -> Case:
    earlier = (Visit(chief_complaint="腹痛", answer=before),) if before else ()
    return Case(id="a", source="own", patient_id="a", patient=Patient(), visit=Visit(chief_complaint="腹痛"),
                earlier_visits=earlier, answer=answer)  # fmt: skip


def test_names_are_those_of_the_tables_where_they_hold_the_pattern() -> None:
    pattern = next(p for p in patterns() if p.disease_aliases and p.syndrome_aliases and not p.sex and not p.age_group)
    found = labels(case(Answer(disease=pattern.disease_aliases[0], syndrome=pattern.syndrome)))
    assert (found["disease"], found["syndrome"]) == (pattern.disease, pattern.syndrome)


def test_a_syndrome_that_no_table_holds_stays_as_written_and_is_read_by_the_rules() -> None:
    found = labels(case(Answer(disease="某病", syndrome="寒热错杂于膈", treatment_principle="调和")))
    assert (found["disease"], found["syndrome"], found["cold or heat"]) == ("某病", "寒热错杂于膈", "both")


def test_a_case_that_tells_nothing_has_no_label_rather_than_a_wrong_one() -> None:
    found = labels(case(Answer()))
    assert [name for name, value in found.items() if value is not None] == ["dose known"]


def test_a_dose_is_known_where_the_prompt_tells_one() -> None:
    with_dose, without = PrescriptionItem(herb="黄连", dose=5), PrescriptionItem(herb="干姜")
    known = [
        probe_labels.dose_known(case(Answer(prescription=(with_dose,)), before))
        for before in (None, Answer(prescription=(with_dose,)), Answer(prescription=(with_dose, without)))
    ]
    assert known == ["no", "yes", "no"]


def test_small_classes_and_missing_labels_are_left_out() -> None:
    assert usable(["a", "b", None, "a", "b", "c"], 2).tolist() == [0, 1, 3, 4]
    assert usable(["a", "a", "b", None], 2).tolist() == [], "one class is no question"
