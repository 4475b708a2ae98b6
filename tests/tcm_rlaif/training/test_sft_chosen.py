"""The control of DPO learns the chosen answers alone, in as many answer passes."""

import pytest
import tiny_model

from tcm_rlaif.training import proofs, sft_chosen
from tcm_rlaif.training.arguments import run


@pytest.mark.parametrize("number", [4, 3])
def test_sft_on_chosen_learns_the_chosen_answers_in_as_many_passes(tmp_path, number: int) -> None:
    P = tiny_model.params(dpo_batch_size=2, dpo_accumulation=1, dpo_epochs=1, dpo_learning_rate=0.01)
    pairs = tiny_model.pairs(number)
    trainer = sft_chosen.trainer(*tiny_model.with_adapter(), pairs, P, seed=0, folder=tmp_path)
    assert proofs.supervised(trainer)[1][0].startswith(pairs[0]["chosen"][0]["content"])
    run(trainer)
    # two answer passes, as chosen and rejected make in one epoch of DPO
    assert trainer.state.global_step == sft_chosen.steps(P, number) == 4
