"""A learned prompt or prefix is trained alone, answers as the whole model would, and comes back whole."""

import pytest
import tiny_model
import torch

from tcm_rlaif.models import logps, prompts, sampling
from tcm_rlaif.models.loading import load_policy
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import adapters, proofs, sft
from tcm_rlaif.training.arguments import run

CASES = tiny_model.cases()


@pytest.fixture(scope="module", params=["prompt", "prefix"])
def learned(request, tmp_path_factory):
    """The adapter's name, the trained model, its tokenizer, and the log of the training."""
    P = tiny_model.params(training="sft", adapter=request.param, adapter_tokens=5, sft_learning_rate=0.1, sft_epochs=20)
    model, tokenizer = tiny_model.base()
    folder = tmp_path_factory.mktemp(request.param)
    trainer = sft.sft_trainer(model, tokenizer, sft.sft_rows(CASES[:4]), None, P, seed=0, folder=folder)
    trainable = [name for name, weight in trainer.model.named_parameters() if weight.requires_grad]
    log = run(trainer)
    return request.param, adapters.trained(trainer), tokenizer, trainable, log


def test_only_what_is_learned_is_trained_and_the_loss_falls(learned):
    _, model, _, trainable, log = learned
    assert trainable and all("prompt_encoder" in name for name in trainable)
    assert log[-1]["loss"] < log[0]["loss"]


def test_sampling_says_what_the_whole_model_says(learned):
    _, model, tokenizer, *_ = learned
    cases = CASES[:4]  # of several lengths, so that some are padded
    said = sampling.sample(model, tokenizer, cases, number=1, temperature=0, max_new_tokens=12, batch_size=4, seed=0)
    for case, sample in zip(cases, said, strict=True):
        ids = sampling.prompt_ids(tokenizer, [case])[0]
        expected = []
        with torch.inference_mode():
            while len(expected) < len(sample.ids):
                given = torch.tensor([[*ids, *expected]])
                logits = model(input_ids=given, attention_mask=torch.ones_like(given)).logits
                expected.append(int(logits[0, -1].argmax()))
        assert tuple(expected) == sample.ids


def test_log_probabilities_are_those_of_the_text_alone(learned):
    _, model, tokenizer, *_ = learned
    rows = [tokenizer("患者，失眠，心烦。")["input_ids"], tokenizer("头痛，口苦，胁痛，尿黄。")["input_ids"]]
    sums, _ = logps.token_logps(model, tokenizer, rows, [2, 2])
    for ids, total in zip(rows, sums, strict=True):
        given = torch.tensor([ids])
        with torch.inference_mode():
            logits = model(input_ids=given, attention_mask=torch.ones_like(given)).logits[0, -len(ids) :].float()
        said = logits.log_softmax(-1)[range(1, len(ids) - 1), ids[2:]].sum()
        assert total == pytest.approx(float(said), rel=1e-4)


def test_it_comes_back_whole(learned, tmp_path):
    name, model, tokenizer, *_ = learned
    model.save_pretrained(tmp_path / "adapter")
    back, _ = load_policy(
        str(tiny_model.folder()), tmp_path / "adapter", tiny_model.params(training="sft", adapter=name)
    )
    assert proofs.largest_difference(model, back, tokenizer, "患者，失眠，心烦。") < 1e-5
    ids = tokenizer("患者，失眠，心烦。")["input_ids"]
    said = [logps.token_logps(one, tokenizer, [ids], [1])[0][0] for one in (model, back, tiny_model.base()[0])]
    assert said[0] == pytest.approx(said[1], rel=1e-5) and abs(said[0] - said[2]) > 1e-2


def test_a_prefix_begins_as_what_the_model_makes_of_the_instruction(tmp_path):
    P = tiny_model.params(training="sft", adapter="prefix", adapter_tokens=5)
    model, tokenizer = tiny_model.base()
    given = torch.tensor([tokenizer(prompts.SYSTEM)["input_ids"][:5]])
    with torch.inference_mode():
        layers = list(model(input_ids=given, use_cache=True).past_key_values)
    made = sft.sft_trainer(model, tokenizer, sft.sft_rows(CASES[:4]), None, P, seed=0, folder=tmp_path)
    weight = made.model.prompt_encoder["default"].embedding.weight.detach()
    for number, part in enumerate(torch.stack([one for layer in layers for one in layer[:2]])):  # key, value by layer
        begun = weight.reshape(5, 2 * len(layers), -1)[:, number]
        assert torch.allclose(begun, part[0].transpose(0, 1).reshape(5, -1), atol=1e-5)


def test_preference_training_with_it_is_refused():
    with pytest.raises(ValueError, match="adapter: preference training is with lora alone"):
        Params(adapter="prompt")
    assert Params(adapter="prompt", training="sft").adapter == "prompt"
