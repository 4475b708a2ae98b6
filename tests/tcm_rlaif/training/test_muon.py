"""Muon for matrices, AdamW for the rest: orthogonal updates of AdamW's size, first steps by hand, what goes where."""

import pytest
import tiny_model
import torch

from tcm_rlaif.training.muon import RMS, Muon, muon, orthogonal


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_an_update_has_singular_values_of_about_one_and_the_gradient_s_directions(shape):
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, values, v = torch.linalg.svd(gradient, full_matrices=False)
    found = torch.linalg.svdvals(orthogonal(gradient))
    assert (found > 0.6).all() and (found < 1.3).all() and values.max() / values.min() > 2
    assert torch.nn.functional.cosine_similarity(orthogonal(gradient).flatten(), (u @ v).flatten(), dim=0) > 0.95


def test_the_first_steps_by_hand():
    matrix, vector = torch.nn.Parameter(torch.ones(2, 4)), torch.nn.Parameter(torch.tensor([1.0, -1.0]))
    optimizer = Muon([matrix], [vector], lr=0.1, weight_decay=0.5)
    gradient = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]])
    matrix.grad, vector.grad = gradient.clone(), torch.tensor([3.0, -0.2])
    optimizer.step()
    assert torch.allclose(vector.data, torch.tensor([0.9, -0.9]), atol=1e-5)  # Adam's first step is the rate, signed
    direction = orthogonal(gradient) * RMS * 4**0.5
    assert torch.allclose(matrix.data, 0.95 * torch.ones(2, 4) - 0.1 * direction, atol=1e-5)


def test_embeddings_and_norms_are_adam_s_and_every_weight_is_somebody_s():
    model, _ = tiny_model.base()
    groups = {group["update"]: set(map(id, group["params"])) for group in muon(model, 1e-3, 0.05).param_groups}
    assert not groups["muon"] & groups["adam"]
    assert groups["muon"] | groups["adam"] == set(map(id, model.parameters()))
    assert id(model.get_input_embeddings().weight) in groups["adam"]
    assert all(p.ndim == 2 for p in model.parameters() if id(p) in groups["muon"])
