"""Training multiplies only learned tokens with the vocabulary, at the same loss; layers are computed twice only where
memory asks for it."""

from pathlib import Path

import psutil
import pytest
import torch
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
