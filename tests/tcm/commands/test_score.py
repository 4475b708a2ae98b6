"""`score`: two files of answers in, table and JSON out; no id is dropped, every number stands beside its n."""

import argparse
import json

import pytest

from tcm.commands import score
from tcm.metrics import published
from tcm.metrics.batch import read_text

LAYOUT = "中医诊断：{}。证型：{}。治法：{}。方剂：{}。处方：{}。7剂，水煎服。"
GOLD = [
    {"id": 1, "text": LAYOUT.format("不寐", "肝郁脾虚", "疏肝健脾", "逍遥散", "柴胡10g，茯苓15g，白术12g，当归10g")},
    {"id": 2, "text": LAYOUT.format("咳嗽", "风寒袭肺", "疏风散寒", "三拗汤", "麻黄6g，苦杏仁9g，甘草3g")},
    {
        "id": 3,
        "pregnant": True,
        "text": LAYOUT.format("感冒", "风寒束表", "辛温解表", "荆防败毒散", "荆芥10g，防风10g"),
    },
]
SECTIONS = ("mtcmb_pr", "tbosd", "strict", "dose", "safety", "text")


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return str(path)


def run(*given) -> int:
    """Run the command as a command line gives it its arguments."""
    parser = argparse.ArgumentParser()
    score.add_arguments(parser)
    return score.main(parser.parse_args([str(a) for a in given]))


@pytest.fixture
def scored(tmp_path):
    def scores(gold, pred):
        out = tmp_path / "out" / "scores.json"
        files = write_rows(tmp_path / "gold.jsonl", gold), write_rows(tmp_path / "pred.jsonl", pred)
        assert run("--gold", files[0], "--pred", files[1], "--json", out) == 0
        return json.loads(out.read_text("utf-8"))

    return scores


def test_gold_against_itself_is_perfect_in_every_section_and_carries_n(scored, capsys):
    result = scored(GOLD, GOLD)
    assert set(SECTIONS) <= set(result) and all(result[name]["n"] == 3 for name in SECTIONS)
    assert result["mtcmb_pr"]["score"] == 100 and result["mtcmb_pr"]["composite"] == 1.0
    assert result["tbosd"]["final"] == 1.0
    assert result["strict"]["f1_macro_case"] == result["strict"]["base_f1_of_means"] == 1.0
    assert result["dose"]["overlap"] == 1.0 and result["dose"]["mae_g"] == 0.0
    assert result["text"]["rouge_l"] == 1.0 and result["text"]["bleu4"] == pytest.approx(1.0)
    assert set(result["safety"]["excess"].values()) <= {0.0, 3, None}
    printed = capsys.readouterr().out
    assert "mtcmb_pr  composite" in printed and "popularity" in printed and "tok:char" in printed


def test_an_id_missing_on_either_side_counts_and_scores_zero(scored):
    result = scored(GOLD, [GOLD[0], {"id": 9, "text": GOLD[1]["text"]}])
    assert result["ids"] == {"n": 4, "gold": 3, "pred": 2, "missing_in_pred": 2, "missing_in_gold": 1}
    assert all(result[name]["n"] == 4 for name in SECTIONS)
    for section, share in (
        ("mtcmb_pr", "composite"),
        ("mtcmb_pr", "size"),
        ("tbosd", "task1"),
        ("tbosd", "task2"),
        ("strict", "f1_macro_case"),
        ("strict", "syndrome_f1"),
        ("dose", "coverage"),
        ("dose", "in_range"),
        ("text", "format_valid"),
        ("text", "rouge_l"),
        ("safety", "clean"),
    ):
        assert result[section][share] == pytest.approx(1 / 4), share
    assert result["mtcmb_pr"]["score"] == 25


def test_errors_over_matched_herbs_are_not_diluted_by_missing_answers(scored):
    pred = [{"id": 1, "herbs": [{"herb": "柴胡", "dose_g": 14}]}]
    dose = scored(GOLD, pred)["dose"]
    assert (dose["mae_g"], dose["mae_g_n"], dose["n"]) == (4.0, 1, 3)
    assert dose["mae_union_g_n"] == 3


def test_rows_of_herbs_are_scored_as_mtcmb_scores_them_bit_for_bit(scored):
    gold = [{"id": "a", "herbs": ["甘草", "茯苓", "白术", "党参"]}, {"id": "b", "herbs": ["麸炒枳壳", "陈皮"]}]
    pred = [{"id": "b", "herbs": ["枳壳", "陈皮", "陈皮"]}, {"id": "a", "herbs": ["甘草", "茯苓", "黄芪"]}]
    result = scored(gold, pred)
    rows = [
        published.mtcmb_pr(["甘草", "茯苓", "白术", "党参"], ["甘草", "茯苓", "黄芪"]),
        published.mtcmb_pr(["麸炒枳壳", "陈皮"], ["枳壳", "陈皮"]),
    ]
    assert result["mtcmb_pr"]["score"] == published.mtcmb_pr_score(rows)
    assert result["tbosd"]["task2"] == pytest.approx((rows[0]["composite"] + rows[1]["composite"]) / 2)
    # at base level 麸炒枳壳 is 枳壳
    assert result["strict"]["base_f1_macro_case"] > result["strict"]["f1_macro_case"]
    assert result["tbosd"]["task1"] is None and result["tbosd"]["task1_n"] == 0
    assert result["dose"]["n"] == 0 and result["dose"]["overlap"] is None and result["text"]["n"] == 0


def test_answers_in_mtcmbs_list_notation_are_read_and_a_refusal_is_no_prescription():
    assert read_text("['甘草', '茯苓']")[1] == ("甘草", "茯苓")
    parsed, names = read_text("甘草，茯苓、白术")
    assert names == ("甘草，茯苓、白术",) and parsed.answer.herbs == ("甘草", "茯苓", "白术")
    assert read_text("抱歉，我无法开处方")[0].answer.herbs == ()


def test_safety_is_shown_beside_the_gold_rate_and_saying_nothing_is_not_safe(scored):
    gold = [{"id": i, "herbs": ["附子", "半夏"] if i == 1 else ["柴胡", "黄芩"]} for i in (1, 2)]
    silent = scored(gold, [{"id": 1, "text": ""}, {"id": 2, "text": ""}])["safety"]
    assert silent["clean"] == 0.0 and silent["clean_gold"] == 0.5
    assert silent["pred"]["incompatibility"] is None and silent["gold"]["incompatibility"] == 0.5
    same = scored(gold, gold)["safety"]
    assert same["pred"]["incompatibility"] == 0.5 and same["excess"]["incompatibility"] == 0.0


def test_the_gold_rows_patient_is_the_one_that_is_audited(scored):
    gold = [{"id": 1, "herbs": ["柴胡"], "pregnant": True}, {"id": 2, "herbs": ["柴胡"]}]
    safety = scored(gold, [{"id": i, "herbs": ["桃仁", "红花"]} for i in (1, 2)])["safety"]
    assert safety["pred"]["pregnancy"] == 0.5 and safety["gold"]["pregnancy"] == 0.0


def test_doseless_prescriptions_do_not_dilute_the_overdose_rate(scored):
    gold = [{"id": i, "herbs": [{"herb": "柴胡", "dose_g": 10}]} for i in (1, 2)]
    pred = [{"id": 1, "herbs": [{"herb": "麻黄", "dose_g": 90}]}, {"id": 2, "herbs": ["麻黄"]}]
    safety = scored(gold, pred)["safety"]
    assert safety["pred"]["overdose"] == 1.0 and safety["pred"]["dosed_n"] == 1


def test_the_leave_one_out_floor_knows_nothing_of_the_patient_it_answers(scored):
    lists = ["甘草", "茯苓"], ["甘草", "白术"], ["柴胡", "黄芩"]
    gold = [{"id": i, "herbs": herbs} for i, herbs in enumerate(lists)]
    floor = scored(gold, gold)["mtcmb_pr"]["floor"]
    # others of 0: 甘草, 白术, 柴胡, 黄芩 once each → by name 柴胡 甘草: one hit; 1 likewise; 2: 甘草 白术, no hit
    assert floor["n"] == 3 and floor["recall"] == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)


def test_a_single_gold_row_says_that_it_has_no_floor(scored, capsys):
    assert scored(GOLD[:1], GOLD[:1])["strict"]["floor"] is None
    assert "no floor" in capsys.readouterr().out
