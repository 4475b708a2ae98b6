"""`sft_order: boundary`: before each epoch ask what the model can do by now, and feed what it has half learned.

A capability is a part of the answer (disease, syndrome, principle, formula, herbs, doses) at cases of one third of
difficulty. How far it holds is the probability that the model gives that part of the physician's answer, the parts
before it given: one pass without gradients, no answer is generated.

Source:
    Capability boundary breakthrough curriculum, arXiv 2203.02753: assess capabilities, train on data near their
    boundary. Only that idea is taken: the paper grades reading comprehension by linguistic measures and moves the
    boundary by a schedule. Ours is 4 h (1 - h), largest where a capability half holds, times what the case itself
    still lacks of it; the rows of an epoch are drawn by these weights, as many as ever. No step is added, only the
    pass that asks.
"""

import math
import random
import re
from collections.abc import Sequence
from statistics import fmean

from tcm.cases import Case
from tcm_rlaif.models.logps import of_each_token
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import SFTTrainer, Tokenizer
from tcm_rlaif.training import competence, order

LABELS = {"中医诊断：": "disease", "证型：": "syndrome", "治法：": "principle", "方剂：": "formula", "处方：": "herbs"}
FIELDS = (*LABELS.values(), "doses")
FLOOR = 0.05  # weight that every case keeps, so that none is forgotten; our choice

Held = dict[str, float]


def fields(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str | None]:
    """Which part of an answer each of its tokens belongs to: that of the label written last before it, up to its 。.

    What is alike in every answer (labels, how the herbs are taken) belongs to none: it holds long before the part does.
    """
    found: list[str | None] = []
    text = ""
    for number in range(len(ids)):
        places = {label: text.rfind(label) for label in LABELS}
        last = max(places, key=places.__getitem__)
        field = LABELS[last] if places[last] >= 0 and "。" not in text[places[last] + len(last) :] else None
        text = tokenizer.decode(ids[: number + 1])
        dose = field == "herbs" and re.search(r"\d[\d.]*g?$", text)
        found.append("doses" if dose else field)
    return found


def held(logps: Sequence[float], parts: Sequence[str | None]) -> Held:
    """How far each part of one answer holds: the geometric mean of its tokens' probabilities, in (0, 1]."""
    of: dict[str, list[float]] = {}
    for logp, part in zip(logps, parts, strict=True):
        if part:
            of.setdefault(part, []).append(logp)
    return {part: math.exp(fmean(values)) for part, values in of.items()}


def capabilities(answers: Sequence[Held], thirds: Sequence[int]) -> dict[tuple[str, int], float]:
    """(part, third of difficulty) -> how far it holds, mean over the cases that have it."""
    of: dict[tuple[str, int], list[float]] = {}
    for answer, third in zip(answers, thirds, strict=True):
        for part, value in answer.items():
            of.setdefault((part, third), []).append(value)
    return {cell: fmean(values) for cell, values in of.items()}


def weights(answers: Sequence[Held], thirds: Sequence[int]) -> list[float]:
    """How likely each case is to be fed: over its parts, 4 h (1 - h) of the capability times what it lacks itself."""
    can = capabilities(answers, thirds)
    boundary = {cell: 4 * value * (1 - value) for cell, value in can.items()}
    return [
        FLOOR + sum(boundary[part, third] * (1 - value) for part, value in answer.items())
        for answer, third in zip(answers, thirds, strict=True)
    ]


def ask(trainer: SFTTrainer, parts: Sequence[Sequence[str | None]]) -> list[Held]:
    """How far each part of each training answer holds now."""
    rows, training = [list(ids) for ids in trainer.train_dataset["input_ids"]], trainer.model.training
    trainer.model.eval()
    first = [len(ids) - len(own) for ids, own in zip(rows, parts, strict=True)]
    logps = of_each_token(trainer.model, trainer.processing_class, rows, first)
    trainer.model.train(training)
    return [held(values.tolist(), own) for values, own in zip(logps, parts, strict=True)]


def series(log: Sequence[dict]) -> dict[str, str]:
    """What a figure of a trainer's log may show, key -> label; empty where nothing was asked."""
    return {f"holds_{part}": part for part in FIELDS if any(f"holds_{part}" in row for row in log)}


def hook(trainer: SFTTrainer, cases: Sequence[Case], P: Params, seed: int) -> None:
    """Set the trainer's order, where the parameters ask for it; what holds is noted in the trainer's log.

    Args:
        cases: the cases of the trainer's rows, in the same order.
    """
    if P.sft_order != "boundary":
        return
    hard = competence.ranks(competence.difficulty(cases, competence.losses(trainer)))
    thirds = [math.ceil(3 * rank) - 1 for rank in hard]
    rows = zip(trainer.train_dataset["input_ids"], competence.begins(trainer), strict=True)
    parts = [fields(trainer.processing_class, ids[begin:]) for ids, begin in rows]

    def draw(epoch: int) -> list[int]:
        now = ask(trainer, parts)
        can = {f"holds_{part}_{third}": value for (part, third), value in capabilities(now, thirds).items()}
        can |= {f"holds_{part}": value for (part, _), value in capabilities(now, [0] * len(now)).items()}
        trainer.state.log_history.append({"epoch": epoch, "step": trainer.state.global_step, **can})
        return random.Random(f"boundary-{seed}-{epoch}").choices(range(len(cases)), weights(now, thirds), k=len(cases))

    order.install(trainer, draw)
