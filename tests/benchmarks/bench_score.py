"""Seconds to score 1,000 answers: all our sections, beside the way MTCMB scores text.

The MTCMB way: jieba words, rouge_chinese ROUGE-1 and ROUGE-L, sacrebleu sentence BLEU, per answer (its BERTScore is
left out: it needs a model). Answers are invented from the knowledge tables. No test: run it by hand with
``python tests/benchmarks/bench_score.py``.
"""

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


def mtcmb_way(golds: list[str], preds: list[str]) -> None:
    """ROUGE-1, ROUGE-L and BLEU on jieba words, segmenting for each metric as MTCMB does."""
    import jieba
    import sacrebleu
    from rouge_chinese import Rouge

    rouge = Rouge()
    for gold, pred in zip(golds, preds, strict=True):
        rouge.get_scores(" ".join(jieba.cut(pred)), " ".join(jieba.cut(gold)))
        sacrebleu.sentence_bleu(" ".join(jieba.cut(pred)), [" ".join(jieba.cut(gold))])


def seconds(work, *arguments) -> float:
    """Processor time of one call."""
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


def main() -> None:
    """Print seconds, first call (tables, dictionary and imports included) and second call, and their ratio."""
    golds, preds = invented_answers(1), invented_answers(2)
    print(f"{N} invented answers, mean length {sum(map(len, golds)) / N:.0f} characters")
    for call in ("first call", "second call"):
        fast, slow = seconds(ours, golds, preds), seconds(mtcmb_way, golds, preds)
        print(f"{call}: all sections {fast:.2f} s; MTCMB way, text only {slow:.2f} s; ratio {slow / fast:.1f}")


if __name__ == "__main__":
    main()
