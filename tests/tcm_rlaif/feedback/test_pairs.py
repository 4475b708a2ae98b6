"""Pairs from judged candidates: which two, which are dropped, and that every drop is counted."""

from collections import Counter

import pytest

from tcm.answers import parse
from tcm.cases import Case, Visit
from tcm_rlaif.feedback.judges.base import Item, Verdict
from tcm_rlaif.feedback.pairs import fingerprint, overlap, pairs_of
from tcm_rlaif.models import prompts
from tcm_rlaif.study.schema import Params

HERBS = ("柴胡", "黄芩", "党参", "甘草", "当归", "白芍", "茯苓", "白术", "陈皮", "半夏", "黄芪", "川芎")


def answer_text(herbs, disease="不寐", dose=10, packets=7):
    listed = "，".join(f"{h}{dose}g" for h in herbs)
    head = f"中医诊断：{disease}。证型：肝郁脾虚。治法：疏肝健脾。方剂：逍遥散加减。"
    return f"{head}处方：{listed}。{packets}剂，水煎服。"


def case(name="病例1", answer=None):
    return Case(id=name, source="invented", patient_id=name, visit=Visit(chief_complaint="失眠3月"), answer=answer)


FOUR = tuple(answer_text(HERBS[i : i + 4]) for i in (0, 3, 6, 8))
GOLD = parse(answer_text(HERBS[2:8])).answer


def build(scores, texts=FOUR, c=None, **settings):
    c = c or case()
    verdict = Verdict(c.id, tuple(scores), tuple({} for _ in scores), "judged")
    return pairs_of([Item(c, tuple(texts))], [verdict], Params(**{"pair_number": 1} | settings), seed=0)


def counts(found, unit):
    return {row["step"]: row["count"] for row in found.funnel if row["unit"] == unit}


def chosen_rejected(found):
    return [(r["chosen"][0]["content"], r["rejected"][0]["content"]) for r in found.rows]


def test_rows_are_trl_conversational_preferences_with_case_and_scores():
    (row,) = build((0.9, 0.5, 0.4, 0.1)).rows
    assert row["prompt"] == prompts.prompt(case())
    assert row["chosen"] == [{"role": "assistant", "content": FOUR[0]}]
    assert row["rejected"] == [{"role": "assistant", "content": FOUR[3]}]
    assert (row["case_id"], row["score_chosen"], row["score_rejected"]) == ("病例1", 0.9, 0.1)


def test_trl_reads_the_rows_as_conversational_preference_data():
    from datasets import Dataset
    from trl import is_conversational

    rows = build((0.9, 0.5, 0.4, 0.1), pair_number=2).rows
    data = Dataset.from_list(rows)
    assert len(data) == 2 and is_conversational(data[0]) and {"prompt", "chosen", "rejected"} <= set(data.column_names)


def test_second_pair_of_best_worst_is_second_best_with_second_worst():
    found = build((0.1, 0.9, 0.5, 0.3), pair_number=3)
    assert chosen_rejected(found) == [(FOUR[1], FOUR[0]), (FOUR[2], FOUR[3])]


def test_best_random_lower_never_takes_an_equal_score_and_draws_by_case_and_seed():
    scores = (0.9, 0.9, 0.2, 0.1)
    first = build(scores, pair_strategy="best_random_lower", pair_number=4)
    assert {r for _, r in chosen_rejected(first)} == {FOUR[2], FOUR[3]}
    assert {c for c, _ in chosen_rejected(first)} == {FOUR[0]}
    assert first == build(scores, pair_strategy="best_random_lower", pair_number=4)
    drawn = {build((0.9, 0.3, 0.2, 0.1), c=case(f"{i}"), pair_strategy="best_random_lower").rows[0]["score_rejected"]
             for i in range(40)}  # fmt: skip
    assert drawn == {0.3, 0.2, 0.1}


def test_best_mean_minus_2sigma_takes_the_typically_bad_answer_not_the_freak():
    texts = tuple(answer_text(HERBS[i % 9 : i % 9 + 4], dose=3 + i) for i in range(14))
    scores = (0.9,) * 12 + (0.3, 0.0)  # mean 0.79, sigma 0.27: target 0.26
    assert build(scores, texts, pair_strategy="best_mean_minus_2sigma").rows[0]["score_rejected"] == 0.3
    assert build(scores, texts, pair_strategy="best_worst").rows[0]["score_rejected"] == 0.0


def test_gold_sample_takes_the_gold_answer_as_chosen_whatever_the_scores():
    found = build(
        (0.9, 0.5, 0.4, 0.1), c=case(answer=GOLD), pair_strategy="gold_sample", judge_sees_gold=True, pair_margin=1.0
    )
    ((chosen, rejected),) = chosen_rejected(found)
    assert parse(chosen).answer == GOLD and rejected in FOUR and found.rows[0]["score_chosen"] is None


def test_gold_sample_without_gold_answer_gives_no_pair_and_says_so():
    found = build((0.9, 0.1, 0.2, 0.3), pair_strategy="gold_sample", judge_sees_gold=True)
    assert found.rows == [] and counts(found, "prompts") == {"all": 1, "no gold answer": 1}


def test_answers_with_the_same_herbs_and_doses_in_another_order_are_one_candidate():
    texts = (answer_text(HERBS[:4]), answer_text(HERBS[3::-1]), answer_text(HERBS[4:8]))
    found = build((0.8, 0.7, 0.1), texts)
    assert counts(found, "candidates") == {"sampled": 3, "merged as near-duplicate": 1, "distinct": 2}
    assert chosen_rejected(found) == [(texts[0], texts[2])]


def test_another_dose_is_no_near_duplicate():
    mild, strong = answer_text(HERBS[:4], dose=10), answer_text(HERBS[:4], dose=50)
    assert fingerprint(mild) != fingerprint(strong)


def test_text_without_prescription_is_compared_by_its_characters_width_and_space_aside():
    assert fingerprint("无法，判断 。") == fingerprint("无法,判断。")
    assert fingerprint("无法判断") != fingerprint("不能判断")


@pytest.mark.parametrize(
    ("settings", "texts", "fate"),
    [
        ({"pair_margin": 0.5}, FOUR, "score difference below the margin"),
        (
            {"pair_max_overlap": 0.5},
            [answer_text(HERBS[:4]), answer_text(HERBS[:4], dose=30)] * 2,
            "herbs overlap too much",
        ),
        ({"pair_max_length_ratio": 1.5}, [FOUR[0], "不知道"] * 2, "lengths differ too much"),
    ],
)
def test_a_filter_drops_the_pair_without_putting_another_in_its_place(settings, texts, fate):
    found = build((0.9, 0.6, 0.9, 0.6), texts, **settings)
    assert found.rows == [] and counts(found, "pairs") == {"proposed": 1, fate: 1}


def test_flipped_labels_swap_every_pair_and_nothing_else():
    judged = build((0.9, 0.5, 0.4, 0.1), pair_number=2)
    flipped = build((0.9, 0.5, 0.4, 0.1), pair_number=2, pair_labels="flipped")
    assert chosen_rejected(flipped) == [(b, a) for a, b in chosen_rejected(judged)]
    assert flipped.funnel == judged.funnel and flipped.rows[0]["score_chosen"] == 0.1


def many(labels, seed=0, n=200):
    items = [Item(case(f"病例{i}"), FOUR) for i in range(n)]
    verdicts = [Verdict(i.case.id, (0.9, 0.5, 0.4, 0.1), ({},) * 4, "judged") for i in items]
    return pairs_of(items, verdicts, Params(pair_number=1, pair_labels=labels), seed)


def test_shuffled_labels_swap_about_half_of_the_same_pairs_by_case_and_seed():
    judged, shuffled = many("judged"), many("shuffled")
    swapped = Counter(a["chosen"] != b["chosen"] for a, b in zip(judged.rows, shuffled.rows, strict=True))
    assert 70 < swapped[True] < 130
    assert shuffled == many("shuffled") and shuffled != many("shuffled", seed=1)
    assert shuffled.rows[:50] == many("shuffled", n=50).rows  # adding cases changes no other case


def test_funnel_rows_add_up_over_all_fates():
    items, verdicts = [], []
    rows = [(0.9, 0.5, 0.4, 0.1), (0.5, 0.5, 0.5, 0.5), (None, None, None, 0.2), (0.52, 0.5, 0.5, 0.5)]
    for i, scores in enumerate(rows):
        items.append(Item(case(f"病例{i}"), FOUR))
        verdicts.append(Verdict(f"病例{i}", scores, ({},) * 4, "partial"))
    found = pairs_of(items, verdicts, Params(pair_number=2), seed=0)
    for unit, whole in (("candidates", "sampled"), ("prompts", "all"), ("pairs", "proposed")):
        steps = counts(found, unit)
        assert steps.pop(whole) == sum(steps.values()), unit
    assert counts(found, "candidates")["sampled"] == 16 and counts(found, "candidates")["no valid judgement"] == 3
    lost = {"all scores equal": 1, "fewer than two distinct judged candidates": 1}
    assert counts(found, "prompts") == {"all": 4, "with a proposed pair": 2} | lost
    assert counts(found, "pairs")["kept"] == len(found.rows) == 2


def test_what_the_limit_of_tokens_cut_off_is_neither_chosen_nor_rejected():
    verdict = Verdict("病例1", (0.9, 0.5, 0.4, 0.1), ({},) * 4, "judged")
    found = pairs_of([Item(case(), FOUR, (False, True, True, False))], [verdict], Params(pair_number=1), seed=0)
    assert chosen_rejected(found) == [(FOUR[1], FOUR[2])]
    assert counts(found, "candidates") == {"sampled": 4, "cut off by the limit of tokens": 2, "distinct": 2}


def test_verdicts_of_other_items_are_refused():
    with pytest.raises(ValueError, match="病例2"):
        pairs_of([Item(case(), FOUR)], [Verdict("病例2", (1.0,) * 4, ({},) * 4, "judged")], Params(), seed=0)


def test_overlap_is_the_jaccard_index_of_base_herbs():
    assert overlap(answer_text(["甘草", "黄芪"]), answer_text(["炙甘草", "当归"])) == pytest.approx(1 / 3)


# --- as the parameters want them

ITEMS = [
    Item(case("甲"), (FOUR[0], FOUR[2], "不知道")),
    Item(case("乙"), (answer_text(HERBS[2:6]), answer_text(HERBS[8:12]), answer_text(HERBS[6:10]))),
]
VERDICTS = [
    Verdict("甲", (0.9, 0.4, 0.0), ({}, {}, {}), "judged"),
    Verdict("乙", (0.2, None, 0.8), ({}, {}, {}), "partial"),
]


def test_pairs_hold_the_prompt_and_the_better_answer_as_chosen() -> None:
    (row,) = pairs_of(ITEMS[1:], VERDICTS[1:], Params(), seed=0).rows
    assert row["prompt"] == prompts.prompt(ITEMS[1].case)
    assert row["chosen"] == prompts.completion(ITEMS[1].candidates[2])
    assert row["rejected"] == prompts.completion(ITEMS[1].candidates[0])


def test_an_answer_of_three_characters_makes_no_pair_with_a_whole_one() -> None:
    assert pairs_of(ITEMS[:1], VERDICTS[:1], Params(pair_number=1), seed=0).rows == []
    assert len(pairs_of(ITEMS[:1], VERDICTS[:1], Params(pair_number=1, pair_max_length_ratio=99), seed=0).rows) == 1


def test_no_pair_is_made_where_the_margin_is_missing() -> None:
    found = pairs_of(ITEMS, VERDICTS, Params(pair_margin=0.95), seed=0)
    assert found.rows == []
    for unit in {row["unit"] for row in found.funnel}:
        counts = [row["count"] for row in found.funnel if row["unit"] == unit]
        assert counts[0] == sum(counts[1:]), unit


def test_flipped_labels_exchange_chosen_and_rejected() -> None:
    judged, flipped = (
        pairs_of(ITEMS, VERDICTS, Params(pair_number=1, pair_labels=labels), seed=0).rows
        for labels in ("judged", "flipped")
    )
    assert judged and [(r["chosen"], r["rejected"]) for r in judged] == [(r["rejected"], r["chosen"]) for r in flipped]


def test_the_same_seed_gives_the_same_pairs() -> None:
    P = Params(pair_labels="shuffled", pair_strategy="best_random_lower")
    assert pairs_of(ITEMS, VERDICTS, P, 3).rows == pairs_of(ITEMS, VERDICTS, P, 3).rows
