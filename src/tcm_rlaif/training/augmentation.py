"""More rows for SFT from the same few answers: herbs in other orders, findings in other words, invented cases beside.

What is made here is read in training and nowhere else: it is no case of the study, has a source and ids of its own, and
is never counted, prompted for feedback, audited or tested.
"""

import random
from collections.abc import Sequence

from tcm.cases import Case
from tcm.invented import invent_cases
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training.rewriting import rewritten

SOURCE = "augmentation"
ATTEMPTS = 20  # draws for one more order that was not there yet; two herbs have only one other
SEED_OFFSET = 10_007  # another stream than `data_seed`, which writes the cases of an invented study


def augmented(cases: Sequence[Case], P: Params) -> list[Case]:
    """What SFT learns from: the cases, each with its herbs in other orders and in other words, then invented cases.

    Args:
        cases: training cases with their answers.
        P: `sft_permutations` orders and `sft_rewritings` wordings more of each, `sft_invented` invented cases.

    Returns:
        The cases themselves where all are 0.
    """
    return [
        *cases,
        *(other for case in cases for other in permuted(case, P.sft_permutations)),
        *(other for case in cases for other in rewritten(case, P.sft_rewritings)),
        *invented(cases, P),
    ]


def permuted(case: Case, number: int) -> list[Case]:
    """The same case with the herbs of its answer in other orders: a prescription is a set.

    Returns:
        `number` cases, all orders different, fewer where so few herbs have no more orders.

    Source:
        TCM-FTP, arXiv 2407.10510; the number is our choice.
    """
    rng = random.Random(f"{SOURCE}-{case.id}")
    herbs = case.answer.prescription
    orders = {herbs: None}
    for _ in range(number * ATTEMPTS):
        if len(orders) > number:
            break
        orders.setdefault(tuple(rng.sample(herbs, len(herbs))))
    return [
        case.model_copy(
            update={"id": f"{case.id}-{SOURCE}-{n}", "answer": case.answer.model_copy(update={"prescription": order})}
        )
        for n, order in enumerate(orders)
        if n
    ]


def invented(cases: Sequence[Case], P: Params) -> list[Case]:
    """Invented cases about all patterns of the tables, as many of them follow-up visits as among the cases.

    Source:
        Generative augmentation as in arXiv 2305.07804, with our tables in the place of a large model.
    """
    follow_ups = sum(case.task == "follow_up_visit" for case in cases) / max(1, len(cases))
    made = invent_cases(P.sft_invented, follow_ups, P.data_seed + SEED_OFFSET)
    names = [f"{SOURCE}-{number:05d}" for number in range(len(made))]
    return [
        case.model_copy(update={"id": name, "patient_id": name, "source": SOURCE})
        for case, name in zip(made, names, strict=True)
    ]
