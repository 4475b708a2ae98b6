"""Training multiplies only learned tokens with the vocabulary and copies no inputs of adapters, at the same loss;
layers are computed twice only where memory asks for it."""

from pathlib import Path

import psutil
import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from trl.kernels import chunked_logprob
from trl.trainer import utils

from tcm import invented
from tcm_rlaif.models import tiny
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import dpo, economy, proofs, sft

SMALL = {"base_hidden": 32, "base_layers": 2, "base_vocabulary": 768, "base_patterns": 12, "base_dtype": "float32"}
CASES = invented.invent_cases(4, 0.4, 0, 12)


@pytest.fixture(scope="module")
def tokenizer():
    """The study's own tokenizer, small."""
    return tiny.train_tokenizer(Params(**SMALL))


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of every multiplication with the vocabulary, as they come."""
    rows, real = [], utils._ChunkedLogProbFunction

    class Counted:
        @staticmethod
        def apply(hidden, *rest):
            rows.append(len(hidden))
            return real.apply(hidden, *rest)

    monkeypatch.setattr(utils, "_ChunkedLogProbFunction", Counted)
    monkeypatch.setattr(utils, "_use_triton", chunked_logprob._use_triton)  # TRL's own, whoever replaced it before
    return rows


def sft_loss(tokenizer, folder: Path) -> tuple[float, int]:
    """Loss of one batch, and how many of its tokens are learned."""
    P = Params(**SMALL)
    rows = sft.sft_rows(CASES)
    trainer = sft.sft_trainer(tiny.new_tiny(P, tokenizer), tokenizer, rows, None, P, seed=0, folder=folder)
    batch = trainer.data_collator(list(trainer.train_dataset))
    with torch.no_grad():
        return float(trainer.compute_loss(trainer.model, dict(batch))), int((batch["labels"] != -100).sum())


def test_sft_reads_out_the_answers_alone_at_the_same_loss(tokenizer, head, tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as plain:
        plain.setattr(economy, "answers_alone", lambda: None)
        everything, learned = sft_loss(tokenizer, tmp_path)
    answers, _ = sft_loss(tokenizer, tmp_path)
    assert head[0] > head[1] == learned
    assert answers == pytest.approx(everything, abs=1e-5)


def test_dpo_reads_out_the_answers_alone_at_the_same_loss(tokenizer, head, tmp_path: Path, monkeypatch) -> None:
    pairs = [
        {"prompt": row["prompt"], "chosen": row["completion"], "rejected": other["completion"]}
        for row, other in zip(sft.sft_rows(CASES), sft.sft_rows(CASES[1:] + CASES[:1]), strict=True)
    ]
    P = Params(**SMALL, dpo_loss_type=["sigmoid", "sft"], dpo_loss_weights=[1.0, 0.2])

    def first() -> tuple[float, int]:
        trainer = dpo.trainer(tiny.new_tiny(P, tokenizer), tokenizer, pairs, P, seed=0, folder=tmp_path)
        del head[:]
        return proofs.first_loss(trainer)["loss"], max(head)

    with monkeypatch.context() as plain:
        plain.setattr(economy, "answers_alone", lambda: None)
        everything, rows = first()
    answers, fewer = first()
    assert fewer < rows / 1.2
    assert answers == pytest.approx(everything, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "free", "twice"), [("own/model", 2**40, False), ("own/model", 2**20, True), ("tiny", 2**20, False)]
)
def test_layers_are_computed_twice_only_where_memory_asks_for_it(
    tokenizer, monkeypatch: pytest.MonkeyPatch, name: str, free: int, twice: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (free, free))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": free}))
    P = Params(**SMALL, base_model=name)
    assert economy.checkpointing(tiny.new_tiny(P, tokenizer), 4096, P) is twice


def test_adapters_inputs_are_copied_to_no_other_type_and_nothing_else_changes(tokenizer, monkeypatch) -> None:
    base = tiny.new_tiny(Params(**SMALL), tokenizer).to(torch.bfloat16)
    model = get_peft_model(base, LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))
    seen: set[torch.dtype] = set()
    for name, module in model.named_modules():
        if name.endswith("lora_A.default"):
            module.register_forward_pre_hook(lambda _, given: seen.add(given[0].dtype))
    ids = torch.arange(24).view(2, 12)

    def trained() -> tuple[set, list[torch.Tensor]]:
        seen.clear()
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        gradients = [weight.grad.clone() for weight in weights]
        model.zero_grad()
        return set(seen), [loss.detach(), *gradients]

    peft_own = getattr(BaseTunerLayer._cast_input_dtype, "__wrapped__", BaseTunerLayer._cast_input_dtype)
    monkeypatch.setattr(BaseTunerLayer, "_cast_input_dtype", peft_own)  # whoever replaced it before
    copied, before = trained()
    economy.inputs_once()
    economy.inputs_once()
    taken, after = trained()
    assert (copied, taken) == ({torch.float32}, {torch.bfloat16})
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=1e-4)
    seen.clear()
    with torch.no_grad():
        model(input_ids=ids)  # as answers are sampled: without autocast the copies are needed
    assert seen == {torch.float32}
