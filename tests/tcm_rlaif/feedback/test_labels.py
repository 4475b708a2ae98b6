"""Candidates and verdicts are read back as they were written, and the rubric judges them offline and blind to gold."""

from collections.abc import Sequence

import written_study

from tcm.answers import write
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.files import write_rows
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.feedback.judges.base import Item, Question, Verdict
from tcm_rlaif.feedback.labels import judge, read_labels, write_verdicts
from tcm_rlaif.study.schema import Params

HERBS = ("柴胡", "白芍", "当归", "茯苓", "白术", "黄芪", "党参", "川芎", "酸枣仁", "远志", "合欢皮", "首乌藤")


def answer(*herbs: str) -> str:
    return write(written_study.answer(*herbs))


CASES = [
    Case(id=n, source="invented", patient_id=n, patient=Patient(sex="女", age=45), visit=Visit(chief_complaint=t))
    for n, t in (("甲", "失眠3月，胁痛"), ("乙", "头晕，乏力"))
]
ITEMS = [
    Item(CASES[0], (answer(*HERBS[:4]), answer(*HERBS[4:8]), "不知道"), (True, True, False)),
    Item(CASES[1], (answer(*HERBS[2:6]), answer(*HERBS[8:12]), answer(*HERBS[6:10])), (True,) * 3),
]
VERDICTS = [
    Verdict("甲", (0.9, 0.4, 0.0), ({"safety": 1.0}, {"safety": 0.5}, {}), "judged"),
    Verdict("乙", (0.2, None, 0.8), ({}, {}, {}), "partial"),
]


def write_candidates(folder, items: Sequence[Item]) -> None:
    rows = [
        {"case_id": i.case.id, "number": n, "text": t, "finished": i.finished[n]}
        for i in items
        for n, t in enumerate(i.candidates)
    ]
    write_rows(folder / "candidates.jsonl", rows)


def test_labels_are_read_back_as_they_were_written(tmp_path) -> None:
    write_candidates(tmp_path, ITEMS)
    write_verdicts(tmp_path / "verdicts.json", VERDICTS)
    assert read_labels(tmp_path, CASES) == (ITEMS, VERDICTS)


def test_labels_keep_the_order_of_the_verdicts_whatever_the_order_of_the_cases(tmp_path) -> None:
    write_candidates(tmp_path, ITEMS[::-1])
    write_verdicts(tmp_path / "verdicts.json", VERDICTS)
    assert read_labels(tmp_path, CASES[::-1])[0] == ITEMS


def test_candidates_with_line_breaks_and_quotes_are_read_back(tmp_path) -> None:
    texts = ('中医诊断：“不寐”。\n处方："柴胡"10g', "", "第一行\r\n第二行")
    write_candidates(tmp_path, [Item(CASES[0], texts, (True,) * 3)])
    write_verdicts(tmp_path / "verdicts.json", [Verdict("甲", (0.1, 0.2, 0.3), ({}, {}, {}), "judged")])
    assert read_labels(tmp_path, CASES)[0][0].candidates == texts


def test_a_candidate_with_a_unicode_line_separator_is_read_back(tmp_path) -> None:
    write_candidates(tmp_path, [Item(CASES[0], ("不寐\u2028肝郁",), (True,))])
    write_verdicts(tmp_path / "verdicts.json", [Verdict("甲", (0.1,), ({},), "judged")])
    assert read_labels(tmp_path, CASES)[0][0].candidates == ("不寐\u2028肝郁",)


# judging


def test_the_rubric_judges_every_candidate_without_network(tmp_path) -> None:
    P = Params()
    report = judge(make_judges(P, []), ITEMS, P, tmp_path)
    assert [v.case_id for v in report.verdicts] == ["甲", "乙"]
    assert all(0 <= s <= 1 for v in report.verdicts for s in v.scores)
    first = report.verdicts[0].scores
    assert first[2] == min(first) < max(first), "no answer at all is the worst answer"


def test_the_rubric_never_sees_the_gold_answer(tmp_path) -> None:
    P = Params()
    gold = Answer(disease="不寐", prescription=(PrescriptionItem(herb="附子", dose=9),))
    known = [Item(i.case.model_copy(update={"answer": gold}), i.candidates) for i in ITEMS]
    scores = [[v.scores for v in judge(make_judges(P, []), x, P, tmp_path).verdicts] for x in (ITEMS, known)]
    assert scores[0] == scores[1]


def test_the_rubric_tells_its_criteria_with_weights() -> None:
    (rubric,) = make_judges(Params(), [])
    (said,) = rubric.description(Question("pointwise", ITEMS[0].case, ITEMS[0].candidates[:1]))
    assert said.startswith("rubric, weights: ") and len(said.split(",")) > 3
