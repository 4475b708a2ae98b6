"""From replies to scores, in every mode; what was asked once is on disk, counted, and never asked or paid for again."""

from dataclasses import replace

import pytest
from judge_stub import openai_judge

from tcm.cases import Answer, Case, PrescriptionItem, Visit
from tcm_rlaif.feedback.cache import Cache, question_key
from tcm_rlaif.feedback.judges.base import Item, Question, Reply, Verdict, borda, questions_of, reconcile
from tcm_rlaif.feedback.judges.jury import combine
from tcm_rlaif.feedback.labelling import judge_items

GOLD = Answer(disease="不寐", prescription=(PrescriptionItem(herb="酸枣仁", dose=15),))


def case(name="病例1", **fields):
    visit = Visit(chief_complaint="入睡困难3月，加重1周", pulse="脉弦")
    return Case(id=name, source="invented", patient_id=name, visit=visit, **fields)


class Scripted:
    """A judge whose opinion of a text is a number written in the text."""

    name, soft, stored = "openai", False, True

    def __init__(self, first_wins=False, fails=(), replay_only=False):
        self.first_wins, self.fails, self.asked, self.replay_only = first_wins, set(fails), [], replay_only

    def identity(self, mode):
        return {"model": "scripted", "sees_gold": "no"}

    def ask(self, questions, record):
        for q in questions:
            self.asked.append(q)
            merits = [float(t) for t in q.texts]
            if self.fails & set(q.texts):
                record(q, Reply("timeout", requests=1, faults={"timeout": 1}))
            elif q.mode == "pointwise":
                record(q, Reply("judged", (merits[0],), {"safety": merits[0]}, requests=1, tokens=10))
            elif q.mode == "pairwise":
                better = 1.0 if self.first_wins or merits[0] > merits[1] else 0.0
                record(q, Reply("judged", (better,), requests=1, tokens=10))
            else:
                record(q, Reply("judged", borda(merits), requests=1, tokens=10))


def scores(mode, texts=("0.2", "0.9", "0.5"), judge=None, **settings):
    return judge_items([judge or Scripted()], [Item(case(), texts)], mode=mode, progress=False, **settings).verdicts[0]


@pytest.mark.parametrize("mode", ["pairwise", "listwise"])
def test_comparing_modes_give_borda_scores(mode):
    assert scores(mode) == Verdict("病例1", (0.0, 1.0, 0.5), ({},) * 3, "judged")


def test_pointwise_gives_the_judges_scores_with_their_criteria():
    verdict = scores("pointwise")
    assert verdict.scores == (0.2, 0.9, 0.5) and verdict.criteria[1] == {"safety": 0.9}


def test_a_judge_that_always_takes_the_first_place_ties_everything():
    assert scores("pairwise", judge=Scripted(first_wins=True)).scores == (0.5, 0.5, 0.5)


def test_disagreement_between_orders_is_a_tie_for_choices_and_an_average_for_probabilities():
    assert reconcile(1.0, 0.0, soft=False) == reconcile(1.0, 0.5, soft=False) == 0.5
    assert reconcile(1.0, 1.0, soft=False) == 1.0 and reconcile(0.9, 0.4, soft=True) == pytest.approx(0.65)


def test_both_orders_are_asked_and_equal_candidates_once():
    assert len(questions_of(Item(case(), ("a", "b", "a", "c")), "pairwise")) == 6
    assert len(questions_of(Item(case(), ("a", "b", "a")), "pointwise", repeats=2)) == 4
    orders = [q.texts for q in questions_of(Item(case(), ("a", "b", "c")), "listwise")]
    assert orders == [("a", "b", "c"), ("c", "b", "a")]


def test_a_candidate_without_judgement_has_no_score_and_leaves_the_others_theirs():
    verdict = scores("pairwise", judge=Scripted(fails=["0.9"]))
    assert verdict.scores == (0.0, None, 1.0) and verdict.status == "partial"
    assert scores("pointwise", ("0.9",), judge=Scripted(fails=["0.9"])).status == "timeout"


def test_a_lone_candidate_ties_with_nobody():
    assert scores("pairwise", ("0.9", "0.9")) == Verdict("病例1", (0.5, 0.5), ({}, {}), "judged")


def test_borda_counts_ties_as_half_a_win_and_passes_over_the_unjudged():
    assert borda((0.1, None, 0.7, 0.7)) == (0.0, None, 0.75, 0.75)
    assert borda((None, 0.3)) == (None, 0.5)


def test_counts_add_up_for_questions_comparisons_and_items():
    item = Item(case(), ("0.2", "0.9", "0.5"))
    report = judge_items([Scripted(fails=["0.9"])], [item], mode="pairwise", progress=False)
    questions, compared, items = report.counts
    assert questions == {"judge": "openai", "unit": "questions", "from_cache": 0, "total": 6, "judged": 2, "timeout": 4}
    assert compared == {"judge": "openai", "unit": "comparisons", "total": 3, "judged": 1, "timeout": 2}
    assert items == {"judge": "openai", "unit": "items", "total": 1, "judged": 0, "partial": 1}
    assert report.cost["requests"] == 6 and report.cost["tokens"] == 20 and report.cost["faults"] == {"timeout": 4}


class OneOrder(Scripted):
    """Of all texts in a row it likes the first best, and the second order never comes."""

    def ask(self, questions, record):
        for q in questions:
            came = Reply("judged", borda(range(len(q.texts), 0, -1))) if q.texts[0] == "0.2" else Reply("timeout")
            record(q, came)


def test_one_order_without_the_other_is_no_judgement():
    assert scores("listwise", judge=OneOrder()) == Verdict("病例1", (None,) * 3, ({},) * 3, "timeout")


def test_a_jury_averages_ranks_not_scores():
    one = Verdict("病例1", (0.99, 0.98, 0.97), ({"safety": 1.0}, {}, {}), "judged")
    other = Verdict("病例1", (0.0, 0.9, None), ({},) * 3, "partial")
    (jury,) = combine({"rubric": [one], "openai": [other]})
    assert jury.scores == (0.5, 0.75, 0.0) and jury.status == "judged"
    assert jury.criteria[0] == {"rubric.safety": 1.0}
    assert combine({"rubric": [one]}) == [one]


# --- the cache


def ask(path, judge, mode="pairwise", names=("病例1", "病例2")):
    items = [Item(case(n), ("0.2", "0.9", "0.5")) for n in names]
    return judge_items([judge], items, mode=mode, cache=Cache(path), progress=False)


def test_nothing_is_asked_twice_over_two_runs(tmp_path):
    first, second = Scripted(), Scripted()
    one = ask(tmp_path / "j.jsonl", first)
    two = ask(tmp_path / "j.jsonl", second, names=("病例1", "病例2", "病例3"))
    assert len(first.asked) == 12 and {q.case.id for q in second.asked} == {"病例3"}
    assert two.verdicts[:2] == one.verdicts and two.counts[0]["from_cache"] == 12
    assert two.cost["requests"] == 6  # what the first run paid for is not counted again


def test_a_torn_last_line_is_ignored_counted_and_asked_again(tmp_path):
    path = tmp_path / "j.jsonl"
    ask(path, Scripted())
    whole = path.read_bytes()
    path.write_bytes(whole[:-25])
    assert Cache(path).torn_lines == 1 and Cache(path).judged() == 11
    again = Scripted()
    ask(path, again)
    assert len(again.asked) == 1
    assert Cache(path).torn_lines == 1 and Cache(path).judged() == 12


def test_a_failure_is_stored_tried_again_and_replayed_offline_as_what_it_was(tmp_path):
    path = tmp_path / "j.jsonl"
    ask(path, Scripted(fails=["0.9"]))
    replayed = ask(path, Scripted(replay_only=True))
    assert replayed.counts[0]["timeout"] == 8 and replayed.cost["requests"] == 0
    recovered = Scripted()
    assert ask(path, recovered).counts[0]["judged"] == 12 and len(recovered.asked) == 8
    assert ask(path, Scripted(replay_only=True)).counts[0]["judged"] == 12


def test_replay_of_an_unknown_question_is_a_category_not_a_request(tmp_path):
    judge = Scripted(replay_only=True)
    report = ask(tmp_path / "none.jsonl", judge)
    assert not judge.asked and report.counts[0]["not_cached"] == 12
    assert report.verdicts[0].status == "not_cached" and not (tmp_path / "none.jsonl").exists()


def test_each_judgement_is_on_disk_before_the_next_is_taken_up(tmp_path):
    path, seen = tmp_path / "j.jsonl", []

    class Watching(Scripted):
        def ask(self, questions, record):
            for q in questions:
                super().ask([q], record)
                seen.append(len(path.read_text("utf-8").splitlines()))

    ask(path, Watching())
    assert seen == list(range(1, 13))


def test_the_key_depends_on_order_repeat_and_judge_and_on_gold_only_if_the_judge_sees_it():
    judge = Scripted()
    q = Question("pairwise", case(), ("a", "b"))
    others = [replace(q, texts=("b", "a")), replace(q, repeat=1), replace(q, case=case("病例2"))]
    assert len({question_key(judge, x) for x in [q, *others]}) == 4
    with_gold = replace(q, case=case(answer=GOLD))
    assert question_key(judge, with_gold) == question_key(judge, q)
    blind, seeing = (openai_judge(sees_gold=s) for s in (False, True))
    assert question_key(blind, with_gold) == question_key(blind, q) != question_key(judge, q)
    assert question_key(seeing, with_gold) != question_key(seeing, q)


def test_spent_requests_count_against_the_budget_of_the_next_run(tmp_path):
    ask(tmp_path / "j.jsonl", Scripted(fails=["0.9"]))
    assert Cache(tmp_path / "j.jsonl").spent("openai") == (12, 40)
