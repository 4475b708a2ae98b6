"""The textbook: every row of the tables is read, no case is, every token is learned, and SFT goes on from there."""

from pathlib import Path

import pytest
import tiny_model

from tcm import answers, knowledge
from tcm_rlaif.models import prompts
from tcm_rlaif.training import adapters, checkpoints, proofs, sft, textbook
from tcm_rlaif.training.arguments import run


@pytest.fixture(scope="module")
def passages() -> list[str]:
    return textbook.passages(3)


def test_every_herb_formula_and_pattern_is_read(passages) -> None:
    text = "\n".join(passages)
    assert [f for f in knowledge.formulas() if f not in text] == []
    assert [h for h in knowledge.herbs() if h not in text] == []
    assert [p.syndrome for p in knowledge.patterns() if f"{p.disease}" not in text or p.syndrome not in text] == []


def test_every_rule_other_name_and_incompatible_pair_is_read(passages) -> None:
    read, text = set(passages), "\n".join(passages)
    names = [f"{other}，即：{herb}。" for other, herb in knowledge.aliases().items()]
    pairs = knowledge.incompatibilities()
    rules = [rule for pattern in knowledge.patterns() for rule in pattern.modifications]
    assert set(names) <= read
    assert [p for p in pairs if not any(p.group_a in line and p.group_b in line for line in passages)] == []
    assert len(passages) >= len(rules) + len(names) + len(pairs) + 2 * len(knowledge.patterns())
    assert [s for s, others in knowledge.symptom_synonyms().items() if any(other not in text for other in others)] == []


def test_no_passage_poses_a_case_or_answers_one_in_the_studys_layout(passages) -> None:
    asks = (prompts.SYSTEM, *prompts.ASK.values(), "<|im_start|>", "患者：")
    assert [p for p in passages if any(ask in p for ask in asks) or answers.format_valid(p)] == []


def test_passes_differ_in_wording_and_the_same_seed_reads_the_same(passages) -> None:
    assert textbook.passages(3) == passages
    assert set(textbook.passages(4)) != set(passages) and len(textbook.passages(4)) > 1000


def short(monkeypatch) -> None:
    monkeypatch.setattr(textbook, "passages", lambda seed: [f"柴胡，用量{n}～9g。" for n in range(40)])


def test_blocks_are_full_and_say_the_text_in_order_once_a_pass(monkeypatch) -> None:
    short(monkeypatch)
    _, tokenizer = tiny_model.base()
    P = tiny_model.params(sft_textbook_passes=2, sft_max_length=64)
    blocks = [row["input_ids"] for row in textbook.rows(tokenizer, P, 0)]
    assert {len(block) for block in blocks} == {64}
    whole = "\n".join(2 * textbook.passages(0))
    read = tokenizer.decode([token for block in blocks for token in block])
    assert whole.startswith(read) and len(tokenizer(whole[len(read) :])["input_ids"]) <= 64


def test_the_adapter_reads_first_and_sft_goes_on_with_the_same_one(tmp_path, monkeypatch) -> None:
    short(monkeypatch)
    model, tokenizer = tiny_model.base()
    P = tiny_model.params(sft_textbook_passes=3, sft_max_length=128, sft_epochs=1)
    reader = textbook.trainer(model, tokenizer, P, seed=0, folder=tmp_path)
    (text, learned), *rest = proofs.supervised(reader)
    assert learned and not rest and text == tokenizer.decode(textbook.rows(tokenizer, P, 0)[0]["input_ids"])
    log = run(reader)
    assert log[-1]["loss"] < log[0]["loss"]
    read = adapters.trained(reader)
    weights = {n: p.detach().clone() for n, p in read.named_parameters() if ".default." in n}
    trainer = sft.sft_trainer(read, tokenizer, sft.sft_rows(tiny_model.cases()[:4]), None, P, seed=0, folder=tmp_path)
    now = {n: p for n, p in trainer.model.named_parameters() if ".default." in n}
    assert now.keys() == weights.keys() and all(p.equal(weights[n]) for n, p in now.items())
    assert list(trainer.model.peft_config) == ["default"]
    assert all(p.requires_grad for p in now.values())
    assert [learned for _, learned in proofs.supervised(trainer)] == [False, True]
    run(trainer)
    assert any(not p.equal(weights[n]) for n, p in now.items())


def test_a_reading_that_was_killed_goes_on_where_it_was(tmp_path, monkeypatch) -> None:
    short(monkeypatch)
    P = tiny_model.params(sft_textbook_passes=4, sft_max_length=64, sft_batch_size=1)
    model, tokenizer = tiny_model.base()
    reader = textbook.trainer(model, tokenizer, P, seed=0, folder=tmp_path)
    half = reader.args.save_steps * 2
    reader.args.max_steps = half  # as if killed after the second checkpoint
    reader.train()
    model, _ = tiny_model.base()
    again = textbook.trainer(model, tokenizer, P, seed=0, folder=tmp_path)
    assert checkpoints.newest(Path(again.args.output_dir)).name == f"checkpoint-{half}"
    steps = [row["step"] for row in run(again) if "loss" in row]
    assert again.state.global_step > half and len(set(steps)) == len(steps)
