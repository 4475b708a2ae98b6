"""Cleaning, near-duplicate groups and the split: every drop counted, no group in two splits."""

import json
from collections import Counter

import pytest

from tcm.cases import Answer, Case, CaseError, Visit, write_cases
from tcm_rlaif import splits

ANSWER = Answer(disease="不寐", syndrome="肝郁脾虚")
BASE = "入睡困难三月余，每晚仅睡三小时，心烦易怒，口苦口干，两胁胀痛，纳差便溏"


def case(name: str, text: str = "失眠", answer: Answer | None = ANSWER, patient: str = "", **values) -> Case:
    visit = values.pop("visit", {"history": text})
    return Case(id=name, source="own", patient_id=patient or name, visit=visit, answer=answer, **values)


def distinct(number: int) -> list[Case]:
    """Cases whose findings share no trigram."""
    return [case(f"c{i}", "".join(chr(0x4E00 + 40 * i + j) for j in range(30))) for i in range(number)]


# the funnel


def test_the_first_row_of_the_funnel_is_the_sum_of_the_others() -> None:
    records = [
        case("1"),
        case("2"),
        case("3", "头痛", answer=None),
        case("4", "咳嗽", answer=Answer(formula="二陈汤")),
        case("5", "咳嗽"),
    ]
    kept, funnel, _ = splits.clean(records)
    assert [c.id for c in kept] == ["1", "5"]
    assert funnel == [
        {"step": "records read", "cases": 5},
        {"step": "dropped: no answer to learn from or compare with", "cases": 2},
        {"step": "dropped: the same findings and answer as an earlier record", "cases": 1},
        {"step": "cases kept", "cases": 2},
    ]


def test_a_clean_source_has_no_row_of_drops() -> None:
    assert splits.clean([case("1")])[1] == [{"step": "records read", "cases": 1}, {"step": "cases kept", "cases": 1}]


def test_no_record_gives_a_funnel_of_zeros() -> None:
    assert splits.clean([]) == (
        [],
        [{"step": "records read", "cases": 0}, {"step": "cases kept", "cases": 0}],
        Counter(),
    )


def test_punctuation_and_blanks_make_no_other_findings() -> None:
    assert len(splits.clean([case("1", "失眠，多梦。"), case("2", "失眠 多梦")])[0]) == 1


def test_the_same_findings_with_another_answer_are_kept() -> None:
    assert len(splits.clean([case("1"), case("2", answer=Answer(disease="郁证"))])[0]) == 2


def test_the_same_findings_after_other_earlier_visits_are_kept() -> None:
    earlier = [(), (Visit(history="失眠"),), (Visit(history="头痛"),)]
    assert len(splits.clean([case(str(i), earlier_visits=e) for i, e in enumerate(earlier)])[0]) == 3


# identifiers


@pytest.mark.parametrize(
    ("kind", "text", "masked"),
    [
        ("identity number", "身份证11010519491231002X，失眠", "身份证＊，失眠"),
        ("telephone number", "电话13800138000。", "电话＊。"),
        ("name", "姓名：张三丰，女", "姓名：＊，女"),
        ("name", "患者李某某，失眠", "患者＊，失眠"),
        ("date", "2023年5月12日初诊", "＊初诊"),
        ("date", "于2023-05-12复诊", "于＊复诊"),
        ("record number", "住院号：A20231234，失眠", "住院号：＊，失眠"),
    ],
)
def test_what_names_a_person_is_masked_and_counted(kind: str, text: str, masked: str) -> None:
    found, counts = splits.mask_identifiers(case("1", text))
    assert (found.visit.history, counts) == (masked, Counter({kind: 1}))


@pytest.mark.parametrize("text", ["血压130/80mmHg，失眠3月", "柴胡10g，黄芩12g", "体温38.5℃，病程2年", "患者某日外感"])
def test_findings_that_name_nobody_stay_as_they_are(text: str) -> None:
    assert splits.mask_identifiers(case("1", text)) == (case("1", text), Counter())


def test_earlier_visits_and_all_fields_are_masked_too() -> None:
    visit = {"chief_complaint": "13800138000", "tongue": "13800138001", "pulse": "13800138002", "history": "失眠"}
    found, counts = splits.mask_identifiers(case("1", visit=visit, earlier_visits=(Visit(**visit),)))
    assert "138" not in found.visit.findings + found.earlier_visits[0].findings
    assert counts == {"telephone number": 6}


def test_cleaning_counts_identifiers_over_all_records() -> None:
    texts = ("失眠，电话13800138000", "头痛，电话13800138001")
    assert splits.clean([case(str(i), t) for i, t in enumerate(texts)])[2] == {"telephone number": 2}


# groups


def test_visits_of_one_patient_form_a_group() -> None:
    cases = [
        case("1", "失眠心烦口苦", patient="甲"),
        case("2", "头痛恶寒发热"),
        case("3", "咳嗽痰白量多", patient="甲"),
    ]
    a, b, c = splits.groups(cases, 0.8)
    assert a == c != b


def test_near_duplicates_form_a_group_whatever_their_patients() -> None:
    cases = [case("1", BASE), case("2", BASE.replace("三月", "二月")), case("3", "头痛恶寒，发热无汗，鼻塞流清涕")]
    a, b, c = splits.groups(cases, 0.8)
    assert a == b != c


def test_groups_are_chained_through_patients_and_duplicates() -> None:
    cases = [case("1", BASE), case("2", BASE + "。", patient="甲"), case("3", "头痛恶寒发热无汗", patient="甲")]
    assert len(set(splits.groups(cases, 0.8))) == 1


def test_findings_are_near_duplicates_at_exactly_the_threshold() -> None:
    cases = [case("1", "甲乙丙丁戊"), case("2", "甲乙丙丁己")]  # trigrams 甲乙丙 乙丙丁 丙丁戊 | 丙丁己: 2 of 4 shared
    assert len(set(splits.groups(cases, 0.5))) == 1
    assert len(set(splits.groups(cases, 0.51))) == 2


def test_findings_shorter_than_a_trigram_are_compared_whole() -> None:
    assert len(set(splits.groups([case("1", "失眠"), case("2", "失眠"), case("3", "头痛")], 0.8))) == 2


def test_no_case_forms_no_group() -> None:
    assert splits.groups([], 0.8) == []


# the split


def test_shares_are_shares_of_groups() -> None:
    place = splits.split(distinct(20), list(range(20)), 0.15, 0.3, seed=0)
    assert Counter(place) == {"train": 11, "validation": 3, "test": 6}


def test_no_group_lies_in_two_splits() -> None:
    group = [i // 4 for i in range(80)]
    place = splits.split(distinct(80), group, 0.2, 0.3, seed=1)
    assert all(len({p for p, g in zip(place, group, strict=True) if g == number}) == 1 for number in set(group))


def test_no_near_duplicate_of_a_test_case_is_trained_on() -> None:
    cases = distinct(12) + [c.model_copy(update={"id": f"{c.id}b", "patient_id": f"{c.id}b"}) for c in distinct(12)]
    place = splits.split(cases, splits.groups(cases, 0.8), 0.2, 0.3, seed=0)
    assert place[:12] == place[12:] and set(place) == {"train", "validation", "test"}


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    cases, group = distinct(30), list(range(30))
    assert splits.split(cases, group, 0.2, 0.3, 0) == splits.split(cases, group, 0.2, 0.3, 0)
    assert splits.split(cases, group, 0.2, 0.3, 0) != splits.split(cases, group, 0.2, 0.3, 1)


def test_every_split_that_is_asked_for_gets_a_group_however_small_its_share() -> None:
    assert Counter(splits.split(distinct(3), [0, 1, 2], 0.01, 0.01, 0)) == {"train": 1, "validation": 1, "test": 1}


def test_a_share_of_zero_gives_no_validation_case() -> None:
    assert "validation" not in splits.split(distinct(4), [0, 1, 2, 3], 0.0, 0.3, 0)


@pytest.mark.parametrize("groups", [[], [0, 0, 0, 0], [0, 1, 0, 1]], ids=["none", "one", "two"])
def test_too_few_groups_are_refused_with_advice(groups: list[int]) -> None:
    with pytest.raises(CaseError) as caught:
        splits.split(distinct(len(groups)), groups, 0.15, 0.3, 0)
    message = str(caught.value)
    assert message.startswith(f"{len(groups)} cases form only {len(set(groups))} groups")
    assert "give more cases or lower data_test_share, data_validation_share or raise data_near_duplicate" in message


def test_a_split_is_read_back_from_what_01_data_prep_wrote(tmp_path) -> None:
    cases = distinct(3)
    write_cases(tmp_path / "cases.jsonl", cases)
    (tmp_path / "splits.json").write_text(json.dumps({"c0": "test", "c1": "train", "c2": "train"}), "utf-8")
    assert splits.read_split(tmp_path, "train") == cases[1:]
    assert splits.read_split(tmp_path, "validation") == []


def test_real_cases_split_without_a_group_in_two_splits(mtcmb_dir) -> None:
    from tcm_rlaif.adapters import read_mtcmb

    kept, funnel, masked = splits.clean(read_mtcmb(mtcmb_dir))
    assert funnel[0]["cases"] == 200 == sum(row["cases"] for row in funnel[1:]) and not masked
    group = splits.groups(kept, 0.8)
    place = splits.split(kept, group, 0.15, 0.3, 0)
    assert len(set(zip(group, place, strict=True))) == len(set(group))
