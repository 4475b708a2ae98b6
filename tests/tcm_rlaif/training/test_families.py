"""A model of any family learns an answer and its end by its own template, says it and stops; DPO starts at ln 2."""

import math

import pytest
import tiny_model
from chat_templates import FAMILIES, tokenizer_of

from tcm.answers import write
from tcm.cases import Answer, PrescriptionItem
from tcm_rlaif.models import chat, tiny
from tcm_rlaif.models.sampling import sample
from tcm_rlaif.training import adapters, dpo, proofs, sft

CASE = tiny_model.cases()[0].model_copy(
    update={"answer": Answer(disease="不寐", prescription=(PrescriptionItem(herb="柴胡", dose=10),))}
)


def family(name: str):
    """A model with the tokenizer of a family; its weights are large, so that what it says hangs on what it reads."""
    import torch

    tokenizer = tokenizer_of(name)
    model = tiny.new_tiny(tiny_model.params(base_hidden=64), tokenizer)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(8)
    chat.prepare(tokenizer, model, name)
    return model, tokenizer


@pytest.mark.parametrize("name", ["Llama 3", "Gemma", "Phi 3", "no template"])
def test_a_model_learns_an_answer_by_its_template_says_it_and_stops(name: str, tmp_path) -> None:
    model, tokenizer = family(name)
    P = tiny_model.params(sft_epochs=40, sft_learning_rate=1.0e-2, sft_batch_size=1, lora_rank=32)
    trainer = sft.sft_trainer(model, tokenizer, sft.sft_rows([CASE]), None, P, seed=0, folder=tmp_path)
    asked, said = proofs.supervised(trainer)
    assert (asked[1], said[1]) == (False, True)
    assert "".join(said[0].split()) == write(CASE.answer) + FAMILIES[name].end
    trainer.train()
    model = adapters.trained(trainer)
    for temperature in (0.0, 0.01):
        settings = {"number": 1, "temperature": temperature, "batch_size": 1, "seed": 0, "max_new_tokens": 150}
        (answer,) = sample(model, tokenizer, [CASE], **settings)
        assert answer.finished and "".join(answer.text.split()) == write(CASE.answer)
        assert answer.ids[-1] == tokenizer.eos_token_id


@pytest.mark.parametrize("name", FAMILIES)
def test_preference_rows_hold_the_tokens_that_are_sampled_and_dpo_starts_at_ln_2(name: str, tmp_path) -> None:
    model, tokenizer = family(name)
    pairs = tiny_model.pairs(2)
    trainer = dpo.trainer(model, tokenizer, pairs, tiny_model.params(dpo_batch_size=2), seed=0, folder=tmp_path)
    for row, pair in zip(trainer.train_dataset, pairs, strict=True):
        assert row["prompt_ids"] == chat.prompt_tokens(tokenizer, pair["prompt"])
        for side in ("chosen", "rejected"):
            whole, first = chat.row_tokens(tokenizer, pair["prompt"], pair[side])
            assert row["prompt_ids"] + row[f"{side}_ids"] == whole and len(row["prompt_ids"]) == first
    first = proofs.first_loss(trainer)
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-4) and first["margin"] == pytest.approx(0, abs=1e-4)
