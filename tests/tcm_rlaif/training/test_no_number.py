"""A loss that is no number ends the training with a message, and the attention that made such losses is left out."""

import pytest
import tiny_model
import torch

from tcm_rlaif.models import loading
from tcm_rlaif.training.arguments import run
from tcm_rlaif.training.sft import sft_rows, sft_trainer


def broken(folder):
    """A trainer whose model says NaN from the second step on."""
    policy, tokenizer = tiny_model.base()
    P = tiny_model.params(sft_batch_size=4, sft_epochs=3)
    trainer = sft_trainer(policy, tokenizer, sft_rows(tiny_model.cases()[:4]), None, P, seed=0, folder=folder)
    weight = next(p for p in trainer.model.parameters() if p.requires_grad)
    step = trainer.training_step

    def breaking(*given):
        if trainer.state.global_step == 1:
            weight.data.fill_(float("nan"))
        return step(*given)

    trainer.training_step = breaking
    return trainer


def test_training_ends_at_the_first_loss_that_is_no_number(tmp_path):
    trainer = broken(tmp_path)
    with pytest.raises(FloatingPointError, match=r"step 2 of 3: loss is nan.*learning rate.*base_dtype: float32"):
        run(trainer)
    assert trainer.state.global_step == 2


def test_a_training_of_numbers_is_left_alone(tmp_path):
    policy, tokenizer = tiny_model.base()
    P = tiny_model.params(sft_batch_size=4, sft_epochs=3)
    trainer = sft_trainer(policy, tokenizer, sft_rows(tiny_model.cases()[:4]), None, P, seed=0, folder=tmp_path)
    assert len(run(trainer)) == 3


def test_cudnn_attention_is_left_out():
    torch.backends.cuda.enable_cudnn_sdp(True)
    loading.without_cudnn_attention()
    assert not torch.backends.cuda.cudnn_sdp_enabled()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")
def test_a_model_on_a_gpu_goes_without_cudnn_attention(tmp_path):
    model, tokenizer = tiny_model.base()
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path)
    torch.backends.cuda.enable_cudnn_sdp(True)
    loaded, _ = loading.load_base(str(tmp_path), tiny_model.params(base_model=str(tmp_path)))
    assert loaded.device.type == "cuda" and not torch.backends.cuda.cudnn_sdp_enabled()
