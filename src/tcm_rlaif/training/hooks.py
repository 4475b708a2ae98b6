"""Ideas that change how SFT goes over its rows, each a module with `hook(trainer, cases, P, seed)`.

A hook looks at its own key, does nothing where that is off, and otherwise changes one thing of the trainer: its order
or its loss. None changes how many steps are made.
"""

from collections.abc import Sequence

from tcm.cases import Case
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import SFTTrainer
from tcm_rlaif.training import boundary, by_disease, competence, noise_stability

HOOKS = (competence, boundary, by_disease, noise_stability)
"""All of them; a new one is listed here."""


def hook(trainer: SFTTrainer, cases: Sequence[Case], P: Params, seed: int) -> None:
    """Change the trainer as the parameters ask.

    Args:
        cases: the cases of the trainer's rows, in the same order; rows of `sft_tasks`, which have none, come last.
    """
    for module in HOOKS:
        module.hook(trainer, cases, P, seed)
