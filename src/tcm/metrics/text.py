"""Metrics of the answer as text: form, repetition, length, and character-level BLEU-4 and ROUGE-L.

BLEU and ROUGE are secondary: another patient's answer in the same template already scores about 0.5 char-ROUGE-L.
They are computed on characters, with no dictionary, so that the number depends on no segmenter's version.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from operator import add

from tcm.metrics.sets import harmonic

ROUGE_CONVENTION = "ROUGE-L: characters, white space removed, LCS F-measure with beta=1, per answer, 0 to 1"


def repetition(items: Sequence[str]) -> float:
    """Share of items that repeat an earlier one: 1 - distinct/all, 0 to below 1; 0 for no items."""
    return 1 - len(set(items)) / len(items) if items else 0.0


def ngram_repetition(text: str, n: int = 4) -> float:
    """Share of character n-grams that repeat an earlier one, 0 to below 1; 0 for a text shorter than n.

    Source: seq-rep-n of Welleck et al. (arXiv 1908.04319), on characters.
    """
    squeezed = "".join(text.split())
    return repetition([squeezed[i : i + n] for i in range(len(squeezed) - n + 1)])


def rouge_l(gold: str, pred: str) -> float:
    """Character-level ROUGE-L: F with beta = 1 of LCS/|pred| and LCS/|gold|, 0 to 1; white space is ignored.

    Source: Lin (2004), on characters.
    """
    gold, pred = "".join(gold.split()), "".join(pred.split())
    if not gold or not pred:
        return 0.0
    common = lcs_length(gold, pred)
    return harmonic(common / len(pred), common / len(gold))


def lcs_length(a: str, b: str) -> int:
    """Length of the longest common subsequence of two strings.

    One bit of a Python integer stands for each character of `a`, so that one row of the usual table costs a few
    integer operations: scoring a thousand answers takes a fraction of a second where the table takes many.

    Source: Hyyrö, Bit-parallel LCS-length computation revisited (2004).
    """
    where: dict[str, int] = {}
    for i, char in enumerate(a):
        where[char] = where.get(char, 0) | 1 << i
    mask = (1 << len(a)) - 1
    row = mask
    for char in b:
        hits = row & where.get(char, 0)
        row = ((row + hits) | (row - hits)) & mask
    return len(a) - row.bit_count()


def bleu4(gold: str, pred: str) -> float:
    """Character-level sentence BLEU-4, 0 to 1; white space is ignored.

    Counting is ours, a third of the library's time; what the counts are worth is sacrebleu's.

    Source: Papineni et al. (2002) as in sacrebleu, with the settings in `bleu_convention`.
    """
    gold, pred = "".join(gold.split()), "".join(pred.split())
    if not gold or not pred:
        return 0.0
    wanted, given, correct = _ngrams(gold), _ngrams(pred), [0] * 4
    for ngram in wanted.keys() & given.keys():
        correct[len(ngram) - 1] += min(wanted[ngram], given[ngram])
    total = [max(0, len(pred) - n) for n in range(4)]
    found = _bleu().compute_bleu(correct, total, len(pred), len(gold), "exp", effective_order=True)
    return min(1.0, found.score / 100)


def _ngrams(text: str) -> Counter[str]:
    """Runs of one to four characters; each is one shorter with the character behind it."""
    runs = longer = list(text)
    for n in range(1, 4):
        longer = list(map(add, longer, text[n:]))
        runs = runs + longer
    return Counter(runs)


def bleu_convention() -> str:
    """The settings behind `bleu4`, to be printed beside its number; sacrebleu's own signature."""
    bleu = _bleu()
    bleu.sentence_score("处方", ["处方"])
    return f"BLEU-4 per answer, 0 to 1: sacrebleu {bleu.get_signature()}"


@cache
def _bleu():
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize="char", effective_order=True)
