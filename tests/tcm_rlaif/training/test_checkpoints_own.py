"""A training goes on from its own checkpoints alone: those of other rows are said and removed, and it begins afresh."""

from types import SimpleNamespace

import pytest
import tiny_model
from transformers import set_seed

from tcm_rlaif.training import adapters, dpo, launch, sft

P = tiny_model.params(sft_batch_size=4, sft_epochs=2)
STAGE = SimpleNamespace(P=P)


def trained(folder, first: int):
    """Two epochs of SFT on four cases from a place on, in a folder where others may have trained; log and weights."""
    model, tokenizer = tiny_model.base()
    cases = tiny_model.cases()
    rows, validation = sft.sft_rows(cases[first : first + 4]), sft.sft_rows(cases[8:10])
    trainer = sft.sft_trainer(model, tokenizer, rows, validation, P, seed=0, folder=folder)
    log = launch.run(trainer, STAGE)
    return log, tiny_model.weights(trainer.model)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What the second four cases teach where nobody trained before."""
    return trained(tmp_path_factory.mktemp("alone"), 4)


def test_checkpoints_of_other_cases_are_not_gone_on_from(tmp_path, alone, capsys):
    trained(tmp_path, 0)
    capsys.readouterr()
    log, weights = trained(tmp_path, 4)
    assert "checkpoints of another training" in capsys.readouterr().out
    assert [row["loss"] for row in log if "loss" in row] == [row["loss"] for row in alone[0] if "loss" in row]
    assert all(weights[name].equal(value) for name, value in alone[1].items())


def test_checkpoints_that_grew_out_of_another_policy_are_not_gone_on_from(tmp_path, capsys):
    def learned(seed: int) -> None:
        set_seed(0)  # an adapter begins with random weights
        model, tokenizer = tiny_model.with_adapter()
        tiny_model.perturb(model, seed=seed)
        adapters.copy_adapter(model, "start")
        own = tiny_model.params(dpo_batch_size=2, dpo_epochs=2)
        launch.run(dpo.trainer(model, tokenizer, tiny_model.pairs(4), own, seed=0, folder=tmp_path), STAGE)

    learned(seed=1)
    learned(seed=1)
    assert "checkpoints of another training" not in capsys.readouterr().out
    learned(seed=2)
    assert "other rows, base or policy" in capsys.readouterr().out


def test_its_own_checkpoints_are(tmp_path, alone, capsys):
    before, _ = trained(tmp_path, 4)
    capsys.readouterr()
    log, weights = trained(tmp_path, 4)
    assert "checkpoints of another training" not in capsys.readouterr().out
    assert log == before  # the log of the checkpoint: nothing was trained again
    assert all(weights[name].equal(value) for name, value in alone[1].items())
