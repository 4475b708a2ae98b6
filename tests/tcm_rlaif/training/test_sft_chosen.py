"""The control of DPO learns the chosen answers alone, in as many answer passes."""

import tiny_model

from tcm_rlaif.training import proofs, sft_chosen
from tcm_rlaif.training.arguments import run


def test_sft_on_chosen_learns_the_chosen_answers_in_as_many_passes(tmp_path):
    model, tokenizer = tiny_model.with_adapter()
    P = tiny_model.params(dpo_batch_size=2, dpo_accumulation=1, dpo_epochs=1, dpo_learning_rate=0.01)
    trainer = sft_chosen.trainer(model, tokenizer, tiny_model.pairs(4), P, seed=0, folder=tmp_path)
    assert proofs.supervised(trainer)[1][0].startswith(tiny_model.pairs(1)[0]["chosen"][0]["content"])
    run(trainer)
    assert trainer.state.global_step == 4  # two answer passes, as chosen and rejected make in one epoch of DPO


def test_an_odd_number_of_pairs_makes_the_steps_that_are_announced(tmp_path):
    model, tokenizer = tiny_model.with_adapter()
    P = tiny_model.params(dpo_batch_size=2, dpo_accumulation=1, dpo_epochs=1)
    trainer = sft_chosen.trainer(model, tokenizer, tiny_model.pairs(3), P, seed=0, folder=tmp_path)
    run(trainer)
    assert trainer.state.global_step == sft_chosen.steps(P, 3) == 4
