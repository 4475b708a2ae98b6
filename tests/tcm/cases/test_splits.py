"""No group (one patient, near-duplicate findings) straddles two splits, and the same seed gives the same split."""

from collections import Counter

import pytest

from tcm.cases import Case, CaseError, splits
from tcm.cases.cleaning import clean
from tcm.sources.mtcmb import read_mtcmb

BASE = "入睡困难三月余，每晚仅睡三小时，心烦易怒，口苦口干，两胁胀痛，纳差便溏"


def case(name: str, text: str = "失眠", patient: str = "") -> Case:
    return Case(id=name, source="own", patient_id=patient or name, visit={"history": text})


def distinct(number: int) -> list[Case]:
    """Cases whose findings share no trigram."""
    return [case(f"c{i}", "".join(chr(0x4E00 + 40 * i + j) for j in range(30))) for i in range(number)]


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


def test_patients_come_by_lot_with_their_visits_together_and_as_they_stood() -> None:
    cases = [case(f"{number}-{visit}", patient=str(number)) for visit in (1, 2) for number in range(30)]
    drawn = splits.by_lot(cases, seed=0)
    patients = [case.patient_id for case in drawn]
    assert patients[::2] == patients[1::2] and sorted(set(patients), key=int) == [str(n) for n in range(30)]
    assert {case.id[-1] for case in drawn[::2]} == {"1"}
    assert drawn == splits.by_lot(cases, seed=0) != splits.by_lot(cases, seed=1)
    assert 5 < sum(int(patient) < 15 for patient in patients[:30:2]) < 12  # a sample, not one end of the file


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


def test_real_cases_split_without_a_group_in_two_splits(mtcmb_dir) -> None:
    kept, funnel, *_ = clean(read_mtcmb(mtcmb_dir))
    assert funnel[0]["cases"] == 200 == sum(row["cases"] for row in funnel[1:])
    group = splits.groups(kept, 0.8)
    place = splits.split(kept, group, 0.15, 0.3, 0)
    assert len(set(zip(group, place, strict=True))) == len(set(group))
