"""`sft_batches: by_disease`: each batch is of one disease, and every disease comes as often, however many cases it has.

Source:
    MAMF, arXiv 2203.04904: fine-tuning as ever, by first-order gradients, on tasks that are sampled uniformly. What we
    changed: a task is a disease rather than a set of image classes; a disease with fewer cases than a batch repeats
    them. Whether it helps shows on diseases that training has few or none of (`evaluation.rarity`).
"""

import random
from collections.abc import Sequence

from tcm.cases import Case
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import SFTTrainer
from tcm_rlaif.training import order


def draws(diseases: Sequence[str], batch: int, rng: random.Random) -> list[int]:
    """Rows of one epoch, as many as there are: for each batch a disease, then cases of it.

    Args:
        diseases: of each row.
        batch: rows of a forward pass.
    """
    rows_of: dict[str, list[int]] = {}
    for row, disease in enumerate(diseases):
        rows_of.setdefault(disease, []).append(row)
    drawn: list[int] = []
    while (left := len(diseases) - len(drawn)) > 0:
        members, number = rows_of[rng.choice(list(rows_of))], min(batch, left)
        fresh = rng.sample(members, min(number, len(members)))
        drawn += fresh + rng.choices(members, k=number - len(fresh))
    return drawn


def hook(trainer: SFTTrainer, cases: Sequence[Case], P: Params, seed: int) -> None:
    """Set the trainer's batches, where the parameters ask for it.

    Args:
        cases: the cases of the trainer's rows, in the same order.
    """
    if P.sft_batches == "by_disease":
        diseases = [case.answer.disease for case in cases]
        order.install(
            trainer, lambda epoch: draws(diseases, P.sft_batch_size, random.Random(f"by_disease-{seed}-{epoch}"))
        )
