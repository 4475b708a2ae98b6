"""Evidence in the prompt: as much as was asked for, never a case's own, the same in every stage."""

import ast
import json
from pathlib import Path

import pytest
import tiny_model

from tcm.answers import parse, previous_items, write, write_for
from tcm.answers.wording import case_text
from tcm.cases import Visit
from tcm.evidence import Evidence
from tcm.invented import invent_cases
from tcm.knowledge.names import herb_at, herb_set
from tcm.metrics.dose import grams
from tcm_rlaif.feedback import candidates, pairs
from tcm_rlaif.feedback.labels import Feedback
from tcm_rlaif.models import prompts, sampling
from tcm_rlaif.models.prompter import PLAIN, Prompter, in_order_of
from tcm_rlaif.training import best_of_n, proofs, sft
from tcm_rlaif.training.health import HealthPanel

TRAIN = tuple(invent_cases(24, 0.3, 7, 12))
NEW = invent_cases(3, 0.0, 8, 12)[2].model_copy(update={"id": "new", "patient_id": "new"})
KEYS = {"prompt_patterns": 2, "prompt_cases": 3, "prompt_herbs": 15}


def user_text(prompter: Prompter, case) -> str:
    return prompter.messages(case)[-1]["content"]


@pytest.fixture(scope="module")
def prompter() -> Prompter:
    return Prompter(tiny_model.params(**KEYS), TRAIN)


def test_without_evidence_a_case_is_asked_word_for_word_as_ever() -> None:
    for case in TRAIN:
        assert Prompter(tiny_model.params(), TRAIN).messages(case) == PLAIN.messages(case) == prompts.prompt(case)


def test_the_evidence_is_that_of_the_floor_and_as_much_as_was_asked_for(prompter) -> None:
    found = Evidence(TRAIN, 0.8).about([NEW])[0]
    text = user_text(prompter, NEW)
    for answer in found.best_patterns(2):
        assert write(answer) in text
    assert write(found.best_patterns(3)[2]) not in text
    for case in found.similar_cases(3):
        assert f"{case_text(case)}\n{write(case.answer)}" in text
    assert case_text(found.similar_cases(4)[3]) not in text
    likely = [row["herb"] for row in found.rows(15)]
    assert [item.herb for item in found.likely_herbs(15)] and len(found.likely_herbs(15)) == len(likely) == 15
    assert all(item.dose for item in found.likely_herbs(15))


def test_the_case_itself_comes_last_and_is_asked_as_without_evidence(prompter) -> None:
    assert user_text(prompter, NEW).endswith(prompts.prompt(NEW)[-1]["content"])
    assert prompter.messages(NEW)[0] == prompts.prompt(NEW)[0]


@pytest.mark.parametrize(
    ("key", "heading"), [("prompt_patterns", "证候"), ("prompt_cases", "病例1"), ("prompt_herbs", "药物")]
)
def test_each_key_brings_its_own_part_alone(key: str, heading: str) -> None:
    text = user_text(Prompter(tiny_model.params(**{key: 2}), TRAIN), NEW)
    parts = text.removesuffix(prompts.prompt(NEW)[-1]["content"])
    assert heading in parts
    assert [other for other in ("证候", "病例1", "药物") if other in parts] == [heading]


def test_no_case_is_ever_shown_its_own_answer_or_that_of_its_group() -> None:
    twin = TRAIN[0].model_copy(update={"id": "twin", "patient_id": "twin"})  # nearly the same findings
    again = TRAIN[1].model_copy(
        update={"id": "again", "visit": Visit(chief_complaint="牙痛2天", history="夜间尤甚，口渴喜冷饮")}  # one patient
    )
    train = (*TRAIN, twin, again)
    asking = Prompter(tiny_model.params(prompt_cases=15), train)
    groups = [{TRAIN[0].id, "twin"}, {TRAIN[1].id, "again"}]
    for case in train:
        found = Evidence(train, 0.8).about([case])[0] if case in (TRAIN[0], twin, TRAIN[1], again) else None
        own = next((g for g in groups if case.id in g), {case.id})
        shown = user_text(asking, case).removesuffix(prompts.prompt(case)[-1]["content"])
        assert case_text(case) not in shown
        for other in train:
            if other.id in own:
                assert case_text(other) not in shown
        if found:
            assert not own & {c.id for c in found.similar_cases(15)}


def test_a_prompt_reads_no_answer_of_its_case_and_depends_on_no_other_case(prompter) -> None:
    alone = Prompter(tiny_model.params(**KEYS), TRAIN)
    wrong = TRAIN[3].model_copy(update={"answer": TRAIN[4].answer})
    assert alone.messages(wrong) == alone.messages(TRAIN[3].model_copy(update={"answer": None}))
    for case in reversed(TRAIN):
        prompter.messages(case)
    assert prompter.messages(TRAIN[3]) == alone.messages(TRAIN[3])


def test_evidence_comes_from_the_answers_that_sft_sees_alone() -> None:
    few = Prompter(tiny_model.params(prompt_cases=15, sft_cases=10), TRAIN)
    shown = user_text(few, NEW)
    assert sum(case_text(c) in shown for c in TRAIN[:10]) == 10
    assert not any(case_text(c) in shown for c in TRAIN[10:])


def test_every_stage_asks_with_the_same_tokens(prompter, tmp_path, monkeypatch) -> None:
    model, tokenizer = tiny_model.with_adapter_and_reference()
    case = TRAIN[0]
    P = tiny_model.params(**KEYS, candidate_number=2, candidate_max_new_tokens=8, pair_margin=0.0, pair_max_overlap=1.0)
    asked = prompter.messages(case)
    (ids,) = sampling.prompt_ids(tokenizer, [case], prompter)
    assert tokenizer.decode(ids) == tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert sft.sft_rows([case], prompter)[0]["prompt"] == asked
    seen = []
    decode = sampling.decode

    def recorded(model, tokenizer, prompts, *given, **settings):
        seen.append(prompts[0])
        return decode(model, tokenizer, prompts, *given, **settings)

    monkeypatch.setattr(sampling, "decode", recorded)
    items, _ = candidates.sample_candidates(model, tokenizer, [case], P, 0, tmp_path / "c.jsonl", prompter)
    panel = HealthPanel(model, tokenizer, [case], [], lambda case, text: 0.5, P, 0, prompter)
    panel.check(0)
    assert seen == [ids, ids, ids]  # candidates, and the panel by draws and greedily
    verdict = pairs.Verdict(case.id, (0.9, 0.1), ({}, {}), "judged")
    two = [items[0].__class__(case, ("处方：柴胡10g。", "处方：黄芩10g。"))]
    (row,) = pairs.pairs_of(two, [verdict], P, 0, prompter).rows
    assert row["prompt"] == asked


def items(text: str):
    return parse(f"处方：{text}。").answer.prescription


def test_a_prescription_is_sorted_as_the_list_and_keeps_what_it_was() -> None:
    listed = items("甘草6g，白芍15g，山药30g")
    written = items("麻黄9g，生山药18g，杭白芍12g，炙甘草3g，龙肝草5g")
    sorted_ = in_order_of(listed, written)
    assert [(i.herb, i.dose) for i in sorted_] == [
        ("炙甘草", 3),
        ("白芍", 12),  # another name of the listed form takes the listed one
        ("生山药", 18),  # another form of a listed herb stands in its place and keeps its name
        ("麻黄", 9),
        ("龙肝草", 5),
    ]
    assert in_order_of((), written) == written


@pytest.mark.parametrize("layout", ["changes", "full"])
def test_what_is_learned_is_the_physicians_answer_in_another_order(layout) -> None:
    asking = Prompter(tiny_model.params(**KEYS, sft_herb_order="prompt"), TRAIN)
    moved = 0
    for case in TRAIN:
        target = asking.target(case)
        before, after = (parse(write_for(c, layout), previous_items(case)).answer for c in (case, target))
        assert herb_set(before.herbs, "canonical") == herb_set(after.herbs, "canonical")
        assert grams(before.prescription) == grams(after.prescription)
        moved += target != case
        listed = [herb_at(i.herb, "base") for i in items(user_text(asking, case).split("可参考的药物\n处方：")[1])]
        places = [listed.index(h) for i in target.answer.prescription if (h := herb_at(i.herb, "base")) in listed]
        assert places == sorted(places)
    assert moved


def test_every_stage_that_learns_an_answer_writes_it_in_that_order() -> None:
    gold = {"pair_strategy": "gold_sample", "judge_sees_gold": True, "pair_max_length_ratio": 100}
    P = tiny_model.params(**KEYS, **gold, sft_herb_order="prompt", preference_replay=0.5)
    asking = Prompter(P, TRAIN)
    case = next(c for c in TRAIN if asking.target(c) != c)
    expected = write_for(asking.target(case), P.sft_followup_layout)
    two = [pairs.Item(case, ("处方：柴胡10g。", "处方：黄芩10g。"))]
    verdicts = [pairs.Verdict(case.id, (0.9, 0.1), ({}, {}), "judged")]
    assert sft.sft_rows([case], asking, P.sft_followup_layout)[0]["completion"][0]["content"] == expected
    assert pairs.pairs_of(two, verdicts, P, 0, asking).rows[0]["chosen"][0]["content"] == expected
    learned = best_of_n.rows(Feedback(two, verdicts, [case], asking), P, 0).rows
    assert learned[-1]["completion"][0]["content"] == expected


def test_without_a_list_in_the_prompt_answers_stay_as_written() -> None:
    for keys in ({}, {"prompt_cases": 3}):
        asking = Prompter(tiny_model.params(**keys, sft_herb_order="prompt"), TRAIN)
        assert all(asking.target(case) == case for case in TRAIN)
    with pytest.raises(ValueError, match="sft_permutations"):
        tiny_model.params(sft_permutations=2, sft_herb_order="prompt")


def test_a_stage_that_forgets_the_evidence_is_refused(tmp_path) -> None:
    P = tiny_model.params(**KEYS)
    with pytest.raises(ValueError, match="prompt_cases.*every stage asks alike"):
        candidates.sample_candidates(None, None, TRAIN[:1], P, 0, tmp_path / "c.jsonl")
    with pytest.raises(ValueError, match="prompt_cases"):
        pairs.pairs_of([], [], P, 0)
    with pytest.raises(ValueError, match="prompt_cases"):
        HealthPanel(None, None, [], [], None, P, 0, Prompter(tiny_model.params(prompt_cases=1), TRAIN))


@pytest.mark.parametrize("name", ["02_sft", "03_rlaif_labels", "04_dpo", "05_evaluate"])
def test_no_notebook_asks_without_the_prompter(name: str) -> None:
    asking = {"sft_rows", "sample", "sample_candidates", "check_context", "check_lengths", "answers", "Feedback"}
    cells = json.loads((Path(__file__).parents[3] / "notebooks" / f"{name}.ipynb").read_text("utf-8"))["cells"]
    code = ast.parse("\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"))
    calls = [n for n in ast.walk(code) if isinstance(n, ast.Call)]
    named = [(getattr(c.func, "attr", getattr(c.func, "id", "")), ast.unparse(c)) for c in calls]
    found = [(who, text) for who, text in named if who in asking]
    assert found
    assert [text for _, text in found if "prompter" not in text.lower() and "**settings" not in text] == []


def test_prompts_that_are_too_long_are_refused_by_the_names_of_the_keys(prompter) -> None:
    model, tokenizer = tiny_model.base()
    rows = sft.sft_rows(TRAIN[:2], prompter)
    with pytest.raises(ValueError, match=r"sft_max_length.*or lower prompt_patterns \(2\), prompt_cases \(3\)"):
        proofs.check_lengths(tokenizer, rows, 200, 4096, prompter)
    model.config.max_position_embeddings = 300
    with pytest.raises(ValueError, match=r"context.*prompt_herbs \(15\)"):
        sampling.check_context(model, tokenizer, TRAIN[:2], 20, prompter)
    with pytest.raises(ValueError) as said:
        proofs.check_lengths(tokenizer, sft.sft_rows(TRAIN[:2]), 10)
    assert "prompt_" not in str(said.value)
