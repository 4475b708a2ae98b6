"""A follow-up answer written as a change of the last prescription is read back as the prescription that it means."""

import random

import pytest

from tcm import answers
from tcm.cases import Answer, Case, PrescriptionItem, Visit
from tcm.invented import invent_cases
from tcm.knowledge import herbs
from tcm.sources.best4sdt import read_best4sdt


def item(herb: str, dose: float | None = None, note: str = "", **more) -> PrescriptionItem:
    return PrescriptionItem(herb=herb, dose=dose, note=note, **more)


BEFORE = (item("党参", 15), item("茯苓", 12), item("牡蛎", 20, "先煎"), item("陈皮", 6), item("大枣", 5, unit="枚"))
HEAD = "中医诊断：心悸。证型：心脾两虚。治法：健脾养心。方剂：归脾汤加减。处方："
TAIL = "。5剂，水煎服。"


def answer(*items: PrescriptionItem, **more) -> Answer:
    fields = {"disease": "心悸", "syndrome": "心脾两虚", "treatment_principle": "健脾养心", "formula": "归脾汤加减"}
    return Answer(**{**fields, "packets": 5, "usage": "水煎服", **more}, prescription=items)


def follow_up(now: Answer, before: tuple[PrescriptionItem, ...] = BEFORE) -> Case:
    first = Visit(history="心悸乏力", answer=answer(*before))
    return Case(
        id="1", source="invented", patient_id="1", earlier_visits=(first,), visit=Visit(history="纳差"), answer=now
    )


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same, herbs in any order."""
    rest = [a.model_copy(update={"prescription": ()}) for a in (one, other)]
    return rest[0] == rest[1] and sorted(map(repr, one.prescription)) == sorted(map(repr, other.prescription))


WRITTEN = {
    "nothing": (BEFORE, "守上方"),
    "out": (BEFORE[:2] + BEFORE[4:], "守上方，去牡蛎、陈皮"),
    "in": ((*BEFORE, item("白术", 10), item("附子", 6, "先煎")), "守上方，加白术10g，附子6g（先煎）"),
    "doses": ((item("党参", 20), item("茯苓", 9), *BEFORE[2:]), "守上方，党参增至20g，茯苓减至9g"),
    "unit": ((*BEFORE[:4], item("大枣", 9)), "守上方，大枣改为9g"),
    "handling": ((*BEFORE[:3], item("陈皮", 6, "后下"), BEFORE[4]), "守上方，陈皮改为6g（后下）"),
    "a note that stays": ((*BEFORE[:2], item("牡蛎", 30, "先煎"), *BEFORE[3:]), "守上方，牡蛎增至30g"),
    "all": (
        (item("党参", 20), *BEFORE[1:3], BEFORE[4], item("炙甘草", 3)),
        "守上方，去陈皮，加炙甘草3g，党参增至20g",
    ),
    "another form of a herb": ((*BEFORE[1:], item("炙党参", 12)), "守上方，去党参，加炙党参12g"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_changed_is_written_as_physicians_write_it(name: str) -> None:
    now, said = answer(*WRITTEN[name][0]), WRITTEN[name][1]
    text = answers.write(now, BEFORE)
    assert text == f"{HEAD}{said}{TAIL}"
    read = answers.read_for(follow_up(now), text)
    assert same(read.answer, now) and read.unread == () and answers.format_valid(text, BEFORE)


IN_FULL = {
    "fewer than half stay": (BEFORE[0], item("白术", 10), item("当归", 9)),
    "a handling that is dropped": (*BEFORE[:2], item("牡蛎", 20), *BEFORE[3:]),  # nobody writes that
    "a herb written twice": (*BEFORE, item("陈皮", 9)),
    "a second form of a herb that stays": (*BEFORE, item("蜜党参", 9)),
}


@pytest.mark.parametrize("name", IN_FULL)
def test_what_no_change_would_say_is_written_in_full(name: str) -> None:
    now = answer(*IN_FULL[name])
    assert answers.write(now, BEFORE) == answers.write(now)
    assert same(answers.read_for(follow_up(now), answers.write(now, BEFORE)).answer, now)


@pytest.mark.parametrize("fields", [{"packets": None}, {"usage": ""}, {"usage": "每日1剂，分2次温服"}, {"formula": ""}])
def test_packets_usage_and_the_other_fields_stay_as_they_are(fields: dict) -> None:
    now = answer(*BEFORE[1:], item("白术", 10), **fields)
    text = answers.write(now, BEFORE)
    assert "守上方，去党参，加白术10g" in text
    assert same(answers.read_for(follow_up(now), text).answer, now)


def test_without_a_prescription_before_everything_is_written_in_full() -> None:
    now = answer(*BEFORE)
    first = Case(id="1", source="invented", patient_id="1", visit=Visit(history="心悸"), answer=now)
    unknown = follow_up(now).model_copy(update={"earlier_visits": (Visit(history="心悸"),)})
    for case in (first, unknown):
        assert answers.previous_items(case) == ()
        assert answers.write_for(case, "changes") == answers.write_for(case, "full") == answers.write(now)


def test_the_layout_of_a_study_decides_how_a_follow_up_is_written() -> None:
    case = follow_up(answer(*BEFORE, item("白术", 10)))
    assert "守上方，加白术10g" in answers.write_for(case, "changes")
    assert answers.write_for(case, "full") == answers.write(case.answer)


def test_a_full_answer_is_read_alike_with_and_without_the_prescription_before() -> None:
    for case in invent_cases(60, 1.0, seed=5):
        text = answers.write(case.answer)
        assert answers.read_for(case, text) == answers.parse(text)


SAID = {
    "上方加白术10克，去陈皮。": (*BEFORE[:3], BEFORE[4], item("白术", 10)),
    "处方：守方，党参加至20g，7剂": (item("党参", 20), *BEFORE[1:]),
    "处方：原方去茯苓，续服7剂": (BEFORE[0], *BEFORE[2:]),
    "方药：守上方。加白术10g，陈皮易枳壳9g": (*BEFORE[:3], BEFORE[4], item("白术", 10), item("枳壳", 9)),
    "守上方，去陈皮": (*BEFORE[:3], BEFORE[4]),
}


@pytest.mark.parametrize("text", SAID)
def test_other_ways_to_write_a_change_mean_the_changed_prescription(text: str) -> None:
    read = answers.read_for(follow_up(answer()), text).answer
    assert sorted(map(repr, read.prescription)) == sorted(map(repr, SAID[text]))


def test_a_change_of_an_unknown_prescription_is_no_complete_answer() -> None:
    text = answers.write(answer(*BEFORE, item("白术", 10)), BEFORE)
    read = answers.parse(text)
    assert read.answer.herbs == ("白术",) and read.unread == ("守上方",)
    assert not answers.format_valid(text) and answers.format_valid(text, BEFORE)


def test_a_herb_taken_out_that_was_never_there_is_reported() -> None:
    read = answers.read_for(follow_up(answer()), f"{HEAD}守上方，去麻黄{TAIL}")
    assert read.answer.prescription == BEFORE and read.unread == ("去麻黄",)


def written_and_read(case: Case) -> bool:
    """Whether the answer comes back; returns whether it was written as a change."""
    text = answers.write_for(case, "changes")
    assert same(answers.read_for(case, text).answer, case.answer), text
    return "守上方" in text


def test_every_invented_follow_up_comes_back_and_nearly_all_are_written_as_changes() -> None:
    cases = [case for seed in range(3) for case in invent_cases(150, 1.0, seed)]
    assert sum(map(written_and_read, cases)) > 0.9 * len(cases)


def altered(items: tuple[PrescriptionItem, ...], rng: random.Random) -> tuple[PrescriptionItem, ...]:
    """A prescription as it might be at the next visit: some herbs out, some in, some doses changed, another order."""
    kept = [i for i in items if rng.random() < 0.8] or list(items[:1])
    kept = [i.model_copy(update={"dose": i.dose * rng.choice((0.5, 1.5, 2))}) if i.dose and rng.random() < 0.2 else i
            for i in kept]  # fmt: skip
    new = [item(h.name, rng.choice((3, 9, 12.5)), h.handling) for h in rng.sample(list(herbs().values()), 3)]
    kept += new[: rng.randint(0, 3)]
    rng.shuffle(kept)
    return tuple(kept)


def test_changes_of_physicians_own_prescriptions_come_back(best4sdt_path) -> None:
    rng, changed = random.Random(3), 0
    gold = [case.answer for case in read_best4sdt(best4sdt_path) if case.answer and case.answer.prescription]
    for before in gold:
        now = before.model_copy(update={"prescription": altered(before.prescription, rng)})
        changed += written_and_read(follow_up(now, before.prescription))
    assert len(gold) > 100 and changed > 0.8 * len(gold)
