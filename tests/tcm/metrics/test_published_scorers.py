"""Parity with published scorers on invented fixtures; every expected number is worked out by hand in the comment.

Where herbs are compared the strict twin stands beside: a test of a hole shows the published number and the strict one.
"""

import pytest

from tcm.metrics import published, strict
from tcm.metrics.sets import herb_set

FOUR = ["甘草", "茯苓", "白术", "党参"]


def test_mtcmb_pr_of_three_names_two_of_them_right():
    # |∩| = 2, |∪| = 5: J = 2/5, P = 2/3, R = 2/4, F1 = 2·(1/3)/(7/6) = 4/7, size = 1 - 1/4, composite = their mean
    scores = published.mtcmb_pr(str(FOUR), "['甘草', '茯苓', '陈皮']")
    assert scores == pytest.approx(
        {
            "jaccard": 0.4,
            "precision": 2 / 3,
            "recall": 0.5,
            "f1": 4 / 7,
            "size": 0.75,
            "composite": (0.4 + 4 / 7 + 0.75) / 3,
        },
        rel=0,
        abs=1e-15,
    )


def test_mtcmb_pr_of_an_equal_list_in_another_order_and_with_duplicates_is_exactly_one():
    assert set(published.mtcmb_pr(FOUR, ["党参", "白术", "甘草", "茯苓", "甘草"]).values()) == {1.0}


def test_mtcmb_pr_of_an_empty_answer_is_zero():
    assert set(published.mtcmb_pr(FOUR, "").values()) == {0.0}
    assert set(published.mtcmb_pr(FOUR, None).values()) == {0.0}


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (["甘草 ", 5], ["甘草", "5"]),
        ("['甘草', ' 茯苓 ']", ["甘草", "茯苓"]),
        ("甘草, 茯苓 ,", ["甘草", "茯苓"]),
        ("[甘草,茯苓]", ["甘草", "茯苓"]),
        ("甘草，茯苓、白术", ["甘草，茯苓、白术"]),
        ('甘草,"茯苓"', []),
        ("甘草,茯\n苓", []),
        ("('甘草', '茯苓')", ["('甘草'", "'茯苓')"]),
        (r"甘草\u8309,茯苓", ["甘草茉", "茯苓"]),
        (7, []),
    ],
)
def test_mtcmb_reads_lists_literals_and_ascii_commas_and_nothing_else(raw, names):
    assert published.mtcmb_herbs(raw) == names


def test_mtcmb_dataset_score_is_floored_to_a_whole_number():
    # composites 1, 1 and 0.4999 → 83.33 → 83; and 41.99 is published as 41
    assert published.mtcmb_pr_score([{"composite": c} for c in (1.0, 1.0, 0.4999)]) == 83
    assert published.mtcmb_pr_score([{"composite": 0.4199}]) == 41


def test_the_strict_twin_reads_chinese_commas_and_herb_aliases():
    assert published.mtcmb_pr("丹皮,茯苓", "牡丹皮、茯苓")["f1"] == 0.0
    twin = strict.set_scores(*(herb_set(strict.list_herbs(t), "canonical") for t in ("丹皮,茯苓", "牡丹皮、茯苓")))
    assert twin["f1"] == twin["composite"] == 1.0


def test_nonsense_names_earn_a_third_of_the_published_score_and_nothing_of_the_strict_one():
    nonsense = ["鑫淼", "焱垚", "森磊", "犇骉"]
    assert published.mtcmb_pr(FOUR, nonsense)["composite"] == pytest.approx(1 / 3)
    assert strict.set_scores(set(FOUR), set(nonsense))["composite"] == 0.0


TASK1_GOLD = [
    {"id": 1, "syndrome": "气虚血瘀证|痰瘀互结证", "disease": "胸痹心痛病"},
    {"id": 2, "syndrome": "肝阳上亢证", "disease": "眩晕病"},
    {"id": 3, "syndrome": "阳虚水停证", "disease": "心衰病"},
]


def test_tbosd_task1_compares_whole_strings_so_the_order_of_labels_counts():
    pred = [
        {"id": 1, "syndrome": "痰瘀互结证|气虚血瘀证", "disease": "胸痹心痛病"},
        {"id": 2, "syndrome": "肝阳上亢证", "disease": "心悸病"},
        {"id": 3, "syndrome": "阳虚水停证", "disease": "心衰病"},
    ]
    # syndrome: 2 and 3 of 3 equal; disease: 1 and 3 of 3 equal
    assert published.tbosd_task1(TASK1_GOLD, pred) == pytest.approx(
        {"syndrome_acc": 2 / 3, "disease_acc": 2 / 3, "task1": 2 / 3}
    )
    # README version: |y∩ŷ|/|y| is 1 for case 1 whatever the order
    assert published.tbosd_task1_readme(TASK1_GOLD, pred)["syndrome_acc"] == 1.0


def test_tbosd_task1_rewards_leaving_out_cases():
    assert published.tbosd_task1(TASK1_GOLD, TASK1_GOLD[:1])["task1"] == 1.0


def test_naming_every_label_wins_the_readme_version():
    everything = {"id": 2, "syndrome": "肝阳上亢证|阳虚水停证|气虚血瘀证", "disease": "眩晕病|心衰病|胸痹心痛病"}
    assert published.tbosd_task1_readme(TASK1_GOLD[1:2], [everything])["task1"] == 1.0


def test_tbosd_task2_takes_means_over_matched_ids_before_the_mean_of_three():
    gold = [{"id": "a", "herbs": ["黄 芪", "桂枝"]}, {"id": "b", "herbs": ["茯苓"]}, {"id": "c", "herbs": ["白术"]}]
    pred = [
        {"id": "b", "herbs": ["茯苓", "白术"]},
        {"id": "a", "herbs": [" 黄芪", "桂枝"]},
        {"id": "a", "herbs": []},
    ]
    # a: 1, 1, 1 (spaces go, the first row of an id counts); b: J = 1/2, F1 = 2/3, size = 1/2; c is not counted
    scores = published.tbosd_task2(gold, pred)
    assert scores == pytest.approx({"jaccard": 3 / 4, "f1": 5 / 6, "size": 3 / 4, "task2": (3 / 4 + 5 / 6 + 3 / 4) / 3})
    assert published.tbosd_final(0.45, 0.41) == pytest.approx(0.43)


def test_tbosd_task2_without_a_matched_id_is_refused():
    with pytest.raises(ValueError, match="no id"):
        published.tbosd_task2([{"id": 1, "herbs": ["茯苓"]}], [{"id": 2, "herbs": ["茯苓"]}])


SDT_GOLD = "病例1@鼻流血;口渴鼻干@H;J@B;I@热伤\n病例2@胸闷;心悸@A@C@气虚\n"


def test_tcmeval_sdt_tasks_are_summed_over_cases_and_weighted():
    pred = "病例1@口渴鼻干;头痛;口渴鼻干@H;A@B;I@热邪\n病例1@鼻流血@H;J@B;I@热伤\n病例2@@@B@\n"
    # case 1 (first line counts): t1 = 1/2; t2 = 1/(2+1); t3 = 2/2; t4: LCS(热伤⏎, 热邪⏎) = 2 of 3 and 3 → 2/3
    # case 2: t1 = 0, t2 = 0, t3 = 0/(1+1), t4: gold 气虚⏎ against ⏎: P = 1/3, R = 1 → 1/2
    scores = published.tcmeval_sdt(SDT_GOLD, pred)
    assert scores["task1"] == 0.5
    assert scores["task2"] == 1 / 3
    assert scores["task3"] == 1.0
    assert scores["task4"] == pytest.approx(2 / 3 + 1 / 2)
    assert scores["total"] == pytest.approx(0.2 * 0.5 + 0.3 / 3 + 0.4 + 0.1 * (2 / 3 + 1 / 2))


def test_the_perfect_tcmeval_submission_scores_n():
    assert published.tcmeval_sdt(SDT_GOLD, SDT_GOLD)["total"] == pytest.approx(2.0)


def test_listing_everything_wins_task1_of_tcmeval():
    everything = "病例1@鼻流血;口渴鼻干;头痛;胸闷;心悸;乏力@H@B@热\n"
    assert published.tcmeval_sdt(SDT_GOLD, everything)["task1"] == 1.0


def test_a_line_with_too_few_fields_is_named():
    with pytest.raises(ValueError, match="line 1: id '病例1'"):
        published.tcmeval_sdt(SDT_GOLD, "病例1@鼻流血\n")
