"""Floors and attacks on invented cases: floors look at training cases alone, attacks never beat the gold answer."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcm.answers import parse, write
from tcm.cases import Answer, Case, PrescriptionItem, Visit
from tcm.metrics import ATTACKS, FLOORS, PRIMARY, MissingFloors, metrics_table, score_case, summarise
from tcm.metrics.floors import leave_one_out


def answer(disease, syndrome, **doses):
    items = tuple(PrescriptionItem(herb=herb, dose=float(dose)) for herb, dose in doses.items())
    return Answer(
        disease=disease,
        syndrome=syndrome,
        treatment_principle="疏肝健脾",
        formula="逍遥散",
        prescription=items,
        packets=7,
        usage="水煎服",
    )


def case(number, complaint, gold, before=()):
    return Case(
        id=str(number),
        source="invented",
        patient_id=f"p{number}",
        visit=Visit(chief_complaint=complaint),
        earlier_visits=before,
        answer=gold,
    )


INSOMNIA = answer("不寐", "肝郁脾虚", 柴胡=10, 茯苓=15, 白术=15, 甘草=6)
COUGH = answer("咳嗽", "风寒袭肺", 杏仁=9, 甘草=3, 茯苓=10)
HEADACHE = answer("头痛", "肝阳上亢", 天麻=10, 钩藤=15, 甘草=6, 茯苓=20, 白术=10)
TRAIN = [case(1, "入睡困难，多梦，纳呆", INSOMNIA), case(2, "咳嗽，咳痰稀白", COUGH), case(3, "头痛，眩晕", HEADACHE)]
TEST = [
    case(4, "咳嗽三日，咳痰稀白，恶寒", answer("咳嗽", "风寒袭肺", 杏仁=9, 紫苏叶=9, 甘草=3)),
    case(
        5,
        "头痛减轻，仍眩晕",
        answer("头痛", "肝阳上亢", 天麻=10, 钩藤=12, 牛膝=15),
        (Visit(chief_complaint="头痛", answer=HEADACHE),),
    ),
    case(
        6,
        "入睡困难好转",
        answer("不寐", "肝郁脾虚，心脾两虚", 柴胡=6, 茯苓=15, 白术=15, 甘草=6),
        (Visit(chief_complaint="入睡困难", answer=INSOMNIA),),
    ),
]


def summary_of(texts):
    return summarise([score_case(c, t) for c, t in zip(TEST, texts, strict=True) if t is not None])


ROWS = {name: summary_of(floor(TRAIN, TEST)) for name, floor in {**FLOORS, **ATTACKS}.items()}
GOLD = summary_of([write(c.answer) for c in TEST])


def test_popularity_answers_the_most_frequent_herbs_with_median_doses_to_everybody():
    texts = FLOORS["popularity"](TRAIN, TEST)
    popular = parse(texts[0]).answer
    assert texts == [texts[0]] * 3
    # 甘草 and 茯苓 in 3 cases, 白术 in 2, then by name; mean size 4
    assert set(popular.herbs[:2]) == {"甘草", "茯苓"} and popular.herbs[2] == "白术" and len(popular.herbs) == 4
    assert {i.herb: i.dose for i in popular.prescription[:3]} == {"甘草": 6.0, "茯苓": 15.0, "白术": 12.5}


def test_the_nearest_case_is_found_by_its_findings():
    texts = FLOORS["nearest_case"](TRAIN, TEST)
    assert [parse(text).answer.disease for text in texts] == ["咳嗽", "头痛", "不寐"]


def test_copying_applies_to_follow_up_visits_alone():
    assert FLOORS["copy_previous"](TRAIN, TEST) == [None, write(HEADACHE), write(INSOMNIA)]


@pytest.mark.parametrize("name", [*FLOORS, *ATTACKS])
def test_no_floor_or_attack_reads_the_gold_answers_of_the_cases_to_answer(name):
    function = {**FLOORS, **ATTACKS}[name]
    blind = [c.model_copy(update={"answer": None}) for c in TEST]
    assert function(TRAIN, blind) == function(TRAIN, TEST)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("metric", PRIMARY)
def test_no_attack_beats_or_equals_the_gold_answer_on_a_primary_metric(name, metric):
    assert ROWS[name][metric]["n"] == GOLD[metric]["n"] > 0
    assert ROWS[name][metric]["mean"] < GOLD[metric]["mean"]


def test_the_attacks_do_beat_the_metrics_they_were_made_for():
    assert ROWS["list_everything"]["herb_recall"]["mean"] > ROWS["popularity"]["herb_recall"]["mean"]
    assert ROWS["nonsense_names"]["herb_size"]["mean"] > 0.75
    assert ROWS["nonsense_names"]["herb_f1"]["mean"] == 0.0
    assert ROWS["empty"]["herb_repetition"]["mean"] == GOLD["herb_repetition"]["mean"] == 0.0


def test_floors_need_gold_answers_of_training_cases():
    with pytest.raises(ValueError, match="no training case has a gold answer"):
        FLOORS["popularity"]([], TEST)


def test_a_table_of_primary_metrics_without_floors_is_refused():
    with pytest.raises(MissingFloors, match="popularity, nearest_case, copy_previous, template_only"):
        metrics_table({"sft_dpo": GOLD}, PRIMARY)
    with pytest.raises(MissingFloors, match="followup_change_f1"):
        first_only = summarise([score_case(TEST[0], FLOORS["popularity"](TRAIN, TEST)[0])])
        metrics_table({"sft_dpo": GOLD, "popularity": first_only}, PRIMARY)


def test_a_table_with_floors_shows_mean_and_n_of_each_metric():
    table = metrics_table({"sft_dpo": GOLD, **ROWS}, PRIMARY)
    assert list(table.index) == ["sft_dpo", *FLOORS, *ATTACKS]
    assert table.loc["sft_dpo", "herb_f1"] == 1.0 and table.loc["copy_previous", "n herb_f1"] == 2
    assert list(table.columns[:2]) == ["herb_f1", "n herb_f1"]


@settings(deadline=None)  # the first example reads the tables
@given(st.lists(st.frozensets(st.sampled_from("柴芩苓术归芎"), min_size=1), min_size=2, max_size=6))
def test_the_leave_one_out_floor_is_the_popularity_of_the_others(herb_lists):
    answers = [Answer(prescription=tuple(PrescriptionItem(herb=h) for h in sorted(herbs))) for herbs in herb_lists]
    size = round(sum(map(len, herb_lists)) / len(herb_lists))
    for index, floor in enumerate(leave_one_out(answers)):
        counts = Counter(h for i, herbs in enumerate(herb_lists) if i != index for h in herbs)
        assert list(floor.herbs) == sorted(counts, key=lambda h: (-counts[h], h))[:size]
