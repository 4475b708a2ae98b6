"""The ways to learn from AI feedback, one line each: what rows they make of it, and who trains on them."""

from collections.abc import Callable
from dataclasses import dataclass

from tcm_rlaif.feedback.labels import Feedback
from tcm_rlaif.feedback.pairs import RowSet, pairs_of
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import best_of_n, dpo, grpo, kto, sft_chosen


@dataclass(frozen=True)
class Method:
    """A way to learn from feedback.

    Args:
        rows: (feedback, P, seed) -> rows to train on, in TRL's format, and their funnel.
        trainer: (model, tokenizer, rows, P, *, seed, folder) -> TRL's trainer.
        steps: (P, number of rows) -> optimiser steps.
        asks: whether each round samples and judges anew.
        online: whether the trainer itself samples and judges (it takes `judge` and `cases`); then all rounds are one.
    """

    rows: Callable[[Feedback, Params, int], RowSet]
    trainer: Callable
    steps: Callable[[Params, int], int]
    asks: bool = True
    online: bool = False


def pairs(feedback: Feedback, P: Params, seed: int) -> RowSet:
    """Preference pairs."""
    return pairs_of(feedback.items, feedback.verdicts, P, seed, feedback.prompter)


METHODS = {
    "dpo": Method(pairs, dpo.trainer, dpo.steps),
    "kto": Method(pairs, kto.trainer, dpo.steps),
    "best_of_n": Method(best_of_n.rows, best_of_n.trainer, best_of_n.steps),
    "grpo": Method(grpo.rows, grpo.trainer, grpo.steps, asks=False, online=True),
    "sft_chosen": Method(pairs, sft_chosen.trainer, sft_chosen.steps),
    "sft_more": Method(best_of_n.physicians_rows, best_of_n.trainer, best_of_n.steps, asks=False),
}
"""`preference_training` -> how it learns."""
