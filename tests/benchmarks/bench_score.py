"""Seconds to score 1,000 answers, invented from the knowledge tables (for `measure_trust`)."""

import random
import time

from tcm.answers import write
from tcm.cases import Answer, PrescriptionItem
from tcm.commands.rows import ScoreRow
from tcm.commands.score import score_rows
from tcm.knowledge import compose, herbs, patterns

N = 1000


def invented_answers(seed: int) -> list[str]:
    """Answers of random patterns with one to three herbs exchanged."""
    dice = random.Random(seed)
    names = sorted(herbs())
    texts = []
    for _ in range(N):
        pattern = dice.choice([p for p in patterns() if p.formulas])
        doses = compose(pattern.formulas[0])
        for herb in dice.sample(sorted(doses), min(2, len(doses))):
            del doses[herb]
        doses |= {dice.choice(names): 10.0 for _ in range(dice.randint(1, 3))}
        answer = Answer(
            disease=pattern.disease,
            syndrome=pattern.syndrome,
            treatment_principle=pattern.treatment_principle,
            formula=pattern.formulas[0],
            packets=7,
            usage="水煎服",
            prescription=tuple(PrescriptionItem(herb=h, dose=d) for h, d in doses.items()),
        )
        texts.append(write(answer))
    return texts


def ours(golds: list[str], preds: list[str]) -> None:
    """Everything that the command `score` computes."""
    rows = [{str(i): ScoreRow(id=i, text=text) for i, text in enumerate(texts)} for texts in (golds, preds)]
    score_rows(*rows)


def seconds(work, *arguments) -> float:
    """Processor time of one call."""
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start
