"""The control of DPO learns the chosen answers alone, in as many answer passes, and keeps the same reference."""

import tiny_model

from tcm_rlaif.training import proofs, sft_chosen
from tcm_rlaif.training.arguments import run


def adapter(model, name: str = "default") -> dict:
    """A copy of the weights of one adapter, under names that do not tell which."""
    return {n.replace(f".{name}.", "."): p.detach().clone() for n, p in model.named_parameters() if f".{name}." in n}


def moved(before: dict, after: dict) -> float:
    """Largest absolute change of any weight."""
    assert before.keys() == after.keys() and before
    return max((after[name] - weight).abs().max().item() for name, weight in before.items())


def test_sft_on_chosen_keeps_a_frozen_copy_of_the_sft_adapter(tmp_path):
    model, tokenizer = tiny_model.with_adapter()
    before = adapter(model)
    P = tiny_model.params(dpo_batch_size=2, dpo_accumulation=1, dpo_epochs=1, dpo_learning_rate=0.01)
    trainer = sft_chosen.trainer(model, tokenizer, tiny_model.pairs(4), P, seed=0, folder=tmp_path)
    assert proofs.supervised(trainer)[1][0].startswith(tiny_model.pairs(1)[0]["chosen"][0]["content"])
    run(trainer)
    assert trainer.state.global_step == 4  # two answer passes, as chosen and rejected make in one epoch of DPO
    assert moved(before, adapter(trainer.model, "ref")) == 0
    assert moved(before, adapter(trainer.model)) > 1e-3
