"""`sft_order: competence`: from easy cases to hard ones, as fast as the learner's competence is taken to grow.

Source:
    CMCL, arXiv 2206.14579, with the competence of arXiv 1903.09848 (eq. 7 for p = 2):
    c(t) = min(1, sqrt(t (1 - c0^2) / T + c0^2)); the batch of step t is drawn from the easiest c(t) of the cases.
    What we changed: CMCL sorts images and reports by four difficulties, one at a time; we sort a case by the mean of
    three ranks, the number of its findings and herbs, how rare its syndrome is among the training cases, and the loss
    of its answer under the untrained model. c0 and T are our choice.
"""

import math
import random
import re
from collections import Counter
from collections.abc import Sequence

from scipy.stats import rankdata

from tcm.cases import Case
from tcm_rlaif.models.logps import token_logps
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import SFTTrainer
from tcm_rlaif.training import order

START = 0.2
"""c0, the share of cases that training begins with."""
DURATION = 0.5
"""T as a share of all steps: in the second half every case is as likely as any other."""


def competence(step: int, duration: float, start: float = START) -> float:
    """c(t): the share of the cases, easiest first, that step t may meet."""
    return min(1.0, math.sqrt(step * (1 - start**2) / duration + start**2))


def ranks(values: Sequence[float]) -> list[float]:
    """For each value the share of values that are not above it, in (0, 1]."""
    return (rankdata(values, "max") / len(values)).tolist()


def difficulty(cases: Sequence[Case], losses: Sequence[float]) -> list[float]:
    """How hard each case is among these, in (0, 1].

    Args:
        losses: of each case's answer under the untrained model, nats a token.
    """
    findings = [len(re.findall(r"[^，。、；：\s]+", case.visit.findings)) + len(case.answer.herbs) for case in cases]
    syndromes = Counter(case.answer.syndrome for case in cases)
    rarity = [-syndromes[case.answer.syndrome] for case in cases]
    return [sum(three) / 3 for three in zip(ranks(findings), ranks(rarity), ranks(losses), strict=True)]


def draws(hard: Sequence[float], first_step: int, steps: int, batch: int, duration: float, seed: int) -> list[int]:
    """Rows for some steps: `batch` different ones a step, each of the easiest c(t) as likely.

    Args:
        hard: difficulty of each row.
        first_step: t of the first of these steps.
        duration: T.
    """
    rng, easiest = random.Random(f"competence-{seed}-{first_step}"), sorted(range(len(hard)), key=hard.__getitem__)
    rows = []
    for step in range(first_step, first_step + steps):
        allowed = easiest[: max(batch, math.ceil(competence(step, duration) * len(easiest)))]
        rows += rng.sample(allowed, min(batch, len(allowed)))
    return rows


def begins(trainer: SFTTrainer) -> list[int]:
    """Where the answer of each training row begins: its first token that is learned."""
    return [next(i for i, label in enumerate(labels) if label != -100) for labels in trainer.train_dataset["labels"]]


def losses(trainer: SFTTrainer) -> list[float]:
    """Loss of each row's answer under the model as it is now, nats a token."""
    rows, training = trainer.train_dataset, trainer.model.training
    trainer.model.eval()
    sums, tokens = token_logps(trainer.model, trainer.processing_class, list(rows["input_ids"]), begins(trainer))
    trainer.model.train(training)
    return [-total / number for total, number in zip(sums, tokens, strict=True)]


def hook(trainer: SFTTrainer, cases: Sequence[Case], P: Params, seed: int) -> None:
    """Set the trainer's order, where the parameters ask for it.

    Args:
        cases: the cases of the trainer's rows, in the same order.
    """
    if P.sft_order != "competence":
        return
    hard, size = difficulty(cases, losses(trainer)), len(trainer.train_dataset)
    (epoch_steps, steps), batch = order.steps(trainer), P.sft_batch_size * P.sft_accumulation

    def draw(epoch: int) -> list[int]:
        return draws(hard, epoch * epoch_steps, epoch_steps, batch, DURATION * steps, seed)[:size]

    order.install(trainer, draw)
