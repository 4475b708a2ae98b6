"""Hidden states read in batches are those of each prompt read alone, whatever is padded beside it."""

import numpy as np
import pytest
import tiny_model

from tcm_rlaif.models import hidden_states
from tcm_rlaif.models.sampling import prompt_ids


@pytest.fixture(scope="module")
def alone():
    """Token ids of the prompts, and their hidden states one by one without padding: (layers + 1, tokens, hidden)."""
    import torch

    model, tokenizer = tiny_model.base()
    asked = prompt_ids(tokenizer, tiny_model.cases()[:5])
    with torch.no_grad():
        read = [model(torch.tensor([ids]), output_hidden_states=True).hidden_states for ids in asked]
    return asked, [torch.stack(layers)[:, 0].numpy() for layers in read]


def test_mean_and_last_are_those_of_each_prompt_read_alone(alone) -> None:
    model, tokenizer = tiny_model.base()
    found = hidden_states.of_prompts(model, tokenizer, alone[0], batch_size=3)
    for place, layers in enumerate(alone[1]):
        np.testing.assert_allclose(found["mean"][:, place], layers.mean(axis=1), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found["last"][:, place], layers[:, -1], rtol=1e-3, atol=1e-4)


def test_there_is_one_layer_more_than_the_model_has_and_the_first_is_the_embeddings(alone) -> None:
    model, tokenizer = tiny_model.base()
    found = hidden_states.of_prompts(model, tokenizer, alone[0])["mean"]
    assert found.shape == (3, 5, 32) and found.dtype == np.float32
    words = model.get_input_embeddings().weight.detach().numpy()[alone[0][1]].mean(axis=0)
    np.testing.assert_allclose(found[0, 1], words, rtol=1e-3, atol=1e-4)


def test_an_adapter_is_read_with_the_model() -> None:
    cases = tiny_model.cases()[:2]
    plain, adapted = (hidden_states.of_cases(*made(), cases) for made in (tiny_model.base, tiny_model.with_adapter))
    np.testing.assert_array_equal(plain["last"][0], adapted["last"][0])
    assert np.abs(plain["last"][-1] - adapted["last"][-1]).max() > 1e-3


@pytest.mark.parametrize("adapter", ["prompt", "prefix"])
def test_what_was_learned_before_the_layers_is_refused(adapter: str) -> None:
    from peft import get_peft_model

    from tcm_rlaif.training import adapters

    model, tokenizer = tiny_model.base()
    P = tiny_model.params(training="sft", adapter=adapter, adapter_tokens=3)
    learned = get_peft_model(model, adapters.fresh(P))
    with pytest.raises(ValueError, match="leave arms with a prompt or prefix out of probe_arms"):
        hidden_states.of_cases(learned, tokenizer, tiny_model.cases()[:2])
