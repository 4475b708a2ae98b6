"""The penalty of noise stability by hand, where the noise goes, and that it is added to the loss once."""

import pytest
import tiny_model
import torch

from tcm_rlaif.training import hooks, noise_stability, sft
from tcm_rlaif.training.arguments import run


def trainer(folder, **changes):
    P = tiny_model.params(**{"sft_batch_size": 4, "sft_epochs": 1, **changes})
    cases = tiny_model.cases()[:4]
    made = sft.sft_trainer(*tiny_model.base(), sft.sft_rows(cases), None, P, seed=0, folder=folder)
    hooks.hook(made, cases, P, 0)
    return made


def test_the_penalty_by_hand():
    clean = torch.tensor([[[3.0, 4.0], [1.0, 0.0], [9.0, 9.0]]])  # squared norms 25, 1 and, of padding, anything
    noisy = torch.tensor([[[3.0, 5.0], [1.0, 0.5], [0.0, 0.0]]])  # squared changes 1 and 0.25
    mask = torch.tensor([[1, 1, 0]])
    below = (1 / 25 + 0.25) / 2
    assert noise_stability.penalty([clean], [noisy], mask).item() == pytest.approx(below)
    assert noise_stability.penalty([clean, clean], [noisy, clean], mask).item() == pytest.approx(below / 2)


def test_learned_tokens_before_the_text_are_left_out():
    clean, noisy = torch.ones(1, 3, 2), torch.ones(1, 3, 2)
    noisy[0, 0] = 7.0
    assert noise_stability.penalty([clean], [noisy], torch.ones(1, 2)).item() == 0


def test_the_noise_has_its_share_of_the_norm_and_the_layers_below_have_none():
    model, tokenizer = tiny_model.base()
    layers, inputs = noise_stability.layers_of(model), tokenizer("患者，失眠，心烦，口苦。", return_tensors="pt")
    assert len(layers) == 2
    torch.manual_seed(0)
    with torch.no_grad():
        with noise_stability.watched(layers) as clean:
            model(**inputs)
        with noise_stability.watched(layers[1:], layers[0]) as noisy:
            model(**inputs)
        state = torch.ones(1, 2000, 8)
        change = (noise_stability._noised(state) - state).norm(dim=-1) / state.norm(dim=-1)
    assert not torch.equal(clean[1], noisy[0])
    assert change.square().mean().sqrt().item() == pytest.approx(noise_stability.NOISE, rel=0.03)
    assert all(not layer._forward_hooks for layer in layers)


def test_it_is_added_to_the_loss_in_training_alone(tmp_path):
    made, plain = trainer(tmp_path / "with", sft_noise_stability=100.0), trainer(tmp_path / "without")
    batch = plain.data_collator([plain.train_dataset[number] for number in range(4)])
    losses = {}
    for training in (True, False):
        for name, one in (("with", made), ("without", plain)):
            one.model.train(training)
            losses[name, training] = float(one.compute_loss(one.model, dict(batch)))
    assert losses["with", True] > losses["without", True] + 0.01
    assert losses["with", False] == pytest.approx(losses["without", False])


def test_two_passes_that_make_a_step_weigh_the_penalty_once(tmp_path):
    norms = []
    for name, size, accumulation in (("4x1", 4, 1), ("2x2", 2, 2)):
        how = {"sft_noise_stability": 1e4, "sft_batch_size": size, "sft_accumulation": accumulation}
        norms.append(run(trainer(tmp_path / name, **how))[0]["grad_norm"])
    assert norms[0] == pytest.approx(norms[1], rel=0.5)  # other noise; a penalty that counts twice doubles it


def test_a_layer_with_none_above_is_refused_with_how_many_there_are(tmp_path):
    with pytest.raises(ValueError, match="sft_noise_layer: 2: the model has 2 layers"):
        trainer(tmp_path, sft_noise_stability=1.0, sft_noise_layer=2)
