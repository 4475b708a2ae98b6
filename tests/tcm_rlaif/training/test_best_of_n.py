"""Best-of-n learns one candidate a prompt: the judge's best, or a random one; or as many physicians' answers."""

from collections import Counter

import pytest
import tiny_model

from tcm.answers import write_for
from tcm_rlaif.feedback.judges.base import Item, Verdict
from tcm_rlaif.feedback.labels import Feedback
from tcm_rlaif.training import best_of_n
from tcm_rlaif.training.arguments import run

CASES = tiny_model.cases()
SCORES = {0: (0.2, 0.7, 0.4, 0.6), 1: (0.5, None, 0.5, 0.1), 2: (None, None, None, None)}
TEXTS = ("甲", "乙", "丙", "丁")


def feedback(answered: int = 2) -> Feedback:
    items = [Item(CASES[n], TEXTS) for n in SCORES]
    verdicts = [Verdict(CASES[n].id, scores, ({},) * 4, "judged") for n, scores in SCORES.items()]
    return Feedback(items, verdicts, CASES[-answered:] if answered else ())


def said(found) -> list[tuple[str, str]]:
    return [(row["case_id"], row["completion"][0]["content"]) for row in found.rows]


def counts(found, unit: str) -> dict[str, int]:
    return {row["step"]: row["count"] for row in found.funnel if row["unit"] == unit}


def test_the_best_candidate_of_each_prompt_is_learned_the_first_of_equals() -> None:
    found = best_of_n.rows(feedback(), tiny_model.params(preference_replay=0.0), 0)
    assert said(found) == [(CASES[0].id, "乙"), (CASES[1].id, "甲")]
    assert found.rows[0]["score_chosen"] == 0.7 and found.rows[0]["score_mean"] == pytest.approx(1.9 / 4)
    none = "no candidate that ended and was judged"
    assert counts(found, "prompts") == {"all": 3, "with a chosen candidate": 2, none: 1}
    assert counts(found, "rows") == {"all": 2, "a candidate": 2}


def test_what_the_limit_of_tokens_cut_off_is_not_learned_by_best_or_random_choice() -> None:
    whole = feedback()
    cut = [Item(item.case, item.candidates, (True, False, True, False)) for item in whole.items]
    found = best_of_n.rows(Feedback(cut, whole.verdicts, ()), tiny_model.params(preference_replay=0.0), 0)
    assert said(found) == [(CASES[0].id, "丙"), (CASES[1].id, "甲")]
    P = tiny_model.params(preference_choice="random")
    drawn = {text for seed in range(99) for _, text in said(best_of_n.rows(Feedback(cut, whole.verdicts, ()), P, seed))}
    assert drawn == {"甲", "丙"}


def test_a_random_choice_takes_every_scored_candidate_alike_and_never_another() -> None:
    P = tiny_model.params(preference_choice="random")
    drawn = [dict(said(best_of_n.rows(feedback(), P, seed))) for seed in range(400)]
    first, second = (Counter(row[CASES[n].id] for row in drawn) for n in (0, 1))
    assert set(first) == set(TEXTS) and min(first.values()) > 60
    assert set(second) == {"甲", "丙", "丁"} and min(second.values()) > 90


def test_a_draw_depends_on_the_case_and_the_seed_alone() -> None:
    P, whole = tiny_model.params(preference_choice="random"), feedback()
    alone = Feedback(whole.items[1:2], whole.verdicts[1:2], ())
    for seed in range(20):
        assert said(best_of_n.rows(alone, P, seed)) == said(best_of_n.rows(whole, P, seed))[1:2]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2), (0.75, 6), (0.0, 0)])
def test_replay_is_the_share_of_rows_that_physicians_answered(share, expected) -> None:
    found = best_of_n.rows(feedback(), tiny_model.params(preference_replay=share), 0)
    replayed = said(found)[2:]
    assert len(replayed) == expected == counts(found, "rows").get("a physician's answer", 0)
    assert set(replayed) <= {(c.id, write_for(c, "changes")) for c in CASES[-2:]}
    assert max(Counter(replayed).values(), default=0) <= -(-expected // 2)


def test_without_a_physicians_answer_nothing_is_replayed() -> None:
    found = best_of_n.rows(feedback(0), tiny_model.params(preference_replay=0.5), 0)
    assert len(found.rows) == 2 and counts(found, "rows") == {"all": 2, "a candidate": 2}


def test_the_control_learns_as_many_physicians_answers_as_best_of_n_has_rows() -> None:
    P = tiny_model.params(preference_replay=0.6)
    found, other = best_of_n.physicians_rows(feedback(), P, 0), best_of_n.rows(feedback(), P, 0)
    assert len(found.rows) == len(other.rows) == 5
    assert set(said(found)) == {(c.id, write_for(c, "changes")) for c in CASES[-2:]}


def test_the_trainer_makes_the_steps_that_are_announced_and_learns_the_rows(tmp_path) -> None:
    model, tokenizer = tiny_model.with_adapter()
    P = tiny_model.params(preference_replay=0.6, preference_learning_rate=0.01, sft_batch_size=2, preference_epochs=2)
    found = best_of_n.rows(feedback(), P, 0).rows
    trainer = best_of_n.trainer(model, tokenizer, found, P, seed=0, folder=tmp_path)
    log = run(trainer)
    assert trainer.state.global_step == best_of_n.steps(P, len(found)) == 6
    assert log[-1]["loss"] < log[0]["loss"]
