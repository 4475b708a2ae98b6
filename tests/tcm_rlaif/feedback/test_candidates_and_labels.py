"""AI feedback as files: candidates, verdicts and pairs are written, read back, and gated by the judge's audit."""

import json
from collections.abc import Sequence

import pytest

from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.prescriptions.answers import write
from tcm_rlaif.feedback import labels as feedback
from tcm_rlaif.feedback.judges import Item, Verdict, make_judges
from tcm_rlaif.models import prompts
from tcm_rlaif.study import params

HERBS = ("柴胡", "白芍", "当归", "茯苓", "白术", "黄芪", "党参", "川芎", "酸枣仁", "远志", "合欢皮", "首乌藤")


def answer(*herbs: str, disease: str = "不寐") -> str:
    return write(
        Answer(
            disease=disease,
            syndrome="肝郁脾虚",
            treatment_principle="疏肝健脾",
            formula="逍遥散",
            prescription=tuple(PrescriptionItem(herb=h, dose=10) for h in herbs),
            packets=7,
            usage="水煎服",
        )
    )


CASES = [
    Case(id=n, source="invented", patient_id=n, patient=Patient(sex="女", age=45), visit=Visit(chief_complaint=t))
    for n, t in (("甲", "失眠3月，胁痛"), ("乙", "头晕，乏力"))
]
ITEMS = [
    Item(CASES[0], (answer(*HERBS[:4]), answer(*HERBS[4:8]), "不知道")),
    Item(CASES[1], (answer(*HERBS[2:6]), answer(*HERBS[8:12]), answer(*HERBS[6:10]))),
]
VERDICTS = [
    Verdict("甲", (0.9, 0.4, 0.0), ({"safety": 1.0}, {"safety": 0.5}, {}), "judged"),
    Verdict("乙", (0.2, None, 0.8), ({}, {}, {}), "partial"),
]
DEFECTS = [{"defect": "overdose", "rate": 0.9, "detected": 9, "n": 10}, {"defect": "wrong_herb", "rate": None,
            "detected": 0, "n": 0}]  # fmt: skip


def study(**values) -> params.Params:
    return params.validated(values, "x")


def audit(**changes) -> dict:
    """An audit that passes all thresholds, with changes."""
    passing = {
        "detection": DEFECTS,
        "order_flip_rate": {"rubric": {"value": None, "n": 0}},
        "tie_rate": {"rubric": {"value": 0.1, "n": 20}},
        "self_consistency": {"rubric": {"value": 1.0, "n": 20}},
        "length_correlation": {"value": -0.2, "n": 20},
        "kendall_tau": {"value": 0.4, "n": 20},
        "agreement": [],
    }
    return passing | changes


# files


def write_candidates(folder, items: Sequence[Item]) -> None:
    rows = [{"case_id": i.case.id, "number": n, "text": t} for i in items for n, t in enumerate(i.candidates)]
    feedback.write_rows(folder / "candidates.jsonl", rows)


def test_labels_are_read_back_as_they_were_written(tmp_path) -> None:
    write_candidates(tmp_path, ITEMS)
    feedback.write_verdicts(tmp_path / "verdicts.json", VERDICTS)
    assert feedback.read_labels(tmp_path, CASES) == (ITEMS, VERDICTS)


def test_labels_keep_the_order_of_the_verdicts_whatever_the_order_of_the_cases(tmp_path) -> None:
    write_candidates(tmp_path, ITEMS[::-1])
    feedback.write_verdicts(tmp_path / "verdicts.json", VERDICTS)
    assert feedback.read_labels(tmp_path, CASES[::-1])[0] == ITEMS


def test_candidates_with_line_breaks_and_quotes_are_read_back(tmp_path) -> None:
    texts = ('中医诊断：“不寐”。\n处方："柴胡"10g', "", "第一行\r\n第二行")
    write_candidates(tmp_path, [Item(CASES[0], texts)])
    feedback.write_verdicts(tmp_path / "verdicts.json", [Verdict("甲", (0.1, 0.2, 0.3), ({}, {}, {}), "judged")])
    assert feedback.read_labels(tmp_path, CASES)[0][0].candidates == texts


def test_a_candidate_with_a_unicode_line_separator_is_read_back(tmp_path) -> None:
    write_candidates(tmp_path, [Item(CASES[0], ("不寐\u2028肝郁",))])
    feedback.write_verdicts(tmp_path / "verdicts.json", [Verdict("甲", (0.1,), ({},), "judged")])
    assert feedback.read_labels(tmp_path, CASES)[0][0].candidates == ("不寐\u2028肝郁",)


def test_rows_are_json_lines_with_han_text_as_such(tmp_path) -> None:
    feedback.write_rows(tmp_path / "rows.jsonl", [{"text": "失眠"}, {"text": "头痛"}])
    assert (tmp_path / "rows.jsonl").read_text("utf-8") == '{"text": "失眠"}\n{"text": "头痛"}\n'


# candidates, from a sampler that stands in for the model


def test_candidates_are_grouped_by_case_and_kept_in_a_file(tmp_path, monkeypatch) -> None:
    asked = {}

    def sample(model, tokenizer, cases, **settings):
        asked.update(settings)
        return [
            feedback.generate.Sample(c.id, n, f"{c.id}{n}", True, 3) for c in cases for n in range(settings["number"])
        ]

    monkeypatch.setattr(feedback.generate, "sample", sample)
    P = study(candidate_number=2, candidate_temperature=0.7, candidate_top_p=0.8)
    items, samples = feedback.candidates(None, None, CASES, P, seed=5, path=tmp_path / "candidates.jsonl")
    assert items == [Item(CASES[0], ("甲0", "甲1")), Item(CASES[1], ("乙0", "乙1"))] and len(samples) == 4
    assert (asked["number"], asked["temperature"], asked["top_p"], asked["seed"]) == (2, 0.7, 0.8, 5)
    rows = [json.loads(line) for line in (tmp_path / "candidates.jsonl").read_text("utf-8").splitlines()]
    assert rows[0] == {"case_id": "甲", "number": 0, "text": "甲0", "finished": True, "tokens": 3}


# judging


def test_the_rubric_judges_every_candidate_without_network(tmp_path) -> None:
    P = study()
    report = feedback.judge(make_judges(P), ITEMS, P, tmp_path)
    assert [v.case_id for v in report.verdicts] == ["甲", "乙"]
    assert all(0 <= s <= 1 for v in report.verdicts for s in v.scores)
    first = report.verdicts[0].scores
    assert first[2] == min(first) < max(first), "no answer at all is the worst answer"


def test_the_rubric_never_sees_the_gold_answer(tmp_path) -> None:
    P = study()
    gold = Answer(disease="不寐", prescription=(PrescriptionItem(herb="附子", dose=9),))
    known = [Item(i.case.model_copy(update={"answer": gold}), i.candidates) for i in ITEMS]
    scores = [[v.scores for v in feedback.judge(make_judges(P), x, P, tmp_path).verdicts] for x in (ITEMS, known)]
    assert scores[0] == scores[1]


def test_the_rubric_tells_its_criteria_with_weights() -> None:
    P = study()
    (said,) = feedback.judge_description(make_judges(P), ITEMS[0], P)
    assert said.startswith("rubric, weights: ") and len(said.split(",")) > 3


# the audit's gate


def test_an_audit_that_passes_opens_the_gate() -> None:
    assert feedback.gate(audit(), study()) == []
    assert feedback.gate_message([], study()) == ""


@pytest.mark.parametrize(
    ("change", "threshold"),
    [
        ({"detection": [{"defect": "overdose", "rate": 0.7, "detected": 7, "n": 10}]}, "audit_min_detection"),
        ({"order_flip_rate": {"openai": {"value": 0.4, "n": 9}}}, "audit_max_flip_rate"),
        ({"kendall_tau": {"value": 0.05, "n": 9}}, "audit_min_kendall_tau"),
        ({"length_correlation": {"value": 0.75, "n": 9}}, "audit_max_length_correlation"),
        ({"length_correlation": {"value": -0.75, "n": 9}}, "audit_max_length_correlation"),
    ],
)
def test_each_threshold_of_the_parameters_can_close_the_gate(change, threshold: str) -> None:
    assert [row["threshold"] for row in feedback.gate(audit(**change), study())] == [threshold]


def test_a_reading_at_exactly_the_threshold_passes() -> None:
    at = {"detection": [{"defect": "x", "rate": 0.8, "detected": 8, "n": 10}], "kendall_tau": {"value": 0.1, "n": 9}}
    assert feedback.gate(audit(**at), study()) == []


def test_the_thresholds_are_parameters() -> None:
    failing = audit(kendall_tau={"value": 0.05, "n": 9})
    assert feedback.gate(failing, study(audit_min_kendall_tau=0.0)) == []


def test_a_closed_gate_says_why_and_what_to_do() -> None:
    failed = feedback.gate(audit(kendall_tau={"value": 0.05, "n": 9}), study())
    said = feedback.gate_message(failed, study())
    assert said.startswith("the judge failed its audit: the judge hardly ranks candidates as herb F1")
    assert said.endswith("(audit_min_kendall_tau: 0.05, limit 0.1); mend the judge, or set audit_override: true")


def test_an_overridden_gate_says_that_it_was_overridden() -> None:
    P = study(audit_override=True)
    assert feedback.gate_message(feedback.gate(audit(kendall_tau={"value": 0.0, "n": 9}), P), P).endswith(
        "; overridden by audit_override"
    )


def test_the_readings_are_rows_with_a_none_where_nothing_could_be_measured() -> None:
    agreement = [{"judges": ["rubric", "openai"], "value": 0.3, "n": 7}]
    rows = feedback.audit_readings(audit(agreement=agreement))
    assert [(r["reading"], r["judge"], r["value"], r["n"]) for r in rows] == [
        ("order_flip_rate", "rubric", None, 0),
        ("tie_rate", "rubric", 0.1, 20),
        ("self_consistency", "rubric", 1.0, 20),
        ("length_correlation", "all", -0.2, 20),
        ("kendall_tau", "all", 0.4, 20),
        ("agreement", "rubric / openai", 0.3, 7),
    ]


# pairs


def test_pairs_hold_the_prompt_and_the_better_answer_as_chosen() -> None:
    (row,) = feedback.pairs(ITEMS[1:], VERDICTS[1:], study(), seed=0).rows
    assert row["prompt"] == prompts.prompt(CASES[1])
    assert row["chosen"] == prompts.completion(ITEMS[1].candidates[2])
    assert row["rejected"] == prompts.completion(ITEMS[1].candidates[0])


def test_an_answer_of_three_characters_makes_no_pair_with_a_whole_one() -> None:
    assert feedback.pairs(ITEMS[:1], VERDICTS[:1], study(pair_number=1), seed=0).rows == []
    assert (
        len(feedback.pairs(ITEMS[:1], VERDICTS[:1], study(pair_number=1, pair_max_length_ratio=99), seed=0).rows) == 1
    )


def test_no_pair_is_made_where_the_margin_is_missing() -> None:
    found = feedback.pairs(ITEMS, VERDICTS, study(pair_margin=0.95), seed=0)
    assert found.rows == []
    for unit in {row["unit"] for row in found.funnel}:
        counts = [row["count"] for row in found.funnel if row["unit"] == unit]
        assert counts[0] == sum(counts[1:]), unit


def test_flipped_labels_exchange_chosen_and_rejected() -> None:
    judged, flipped = (
        feedback.pairs(ITEMS, VERDICTS, study(pair_number=1, pair_labels=labels), seed=0).rows
        for labels in ("judged", "flipped")
    )
    assert judged and [(r["chosen"], r["rejected"]) for r in judged] == [(r["rejected"], r["chosen"]) for r in flipped]


def test_the_same_seed_gives_the_same_pairs() -> None:
    P = study(pair_labels="shuffled", pair_strategy="best_random_lower")
    assert feedback.pairs(ITEMS, VERDICTS, P, 3).rows == feedback.pairs(ITEMS, VERDICTS, P, 3).rows
