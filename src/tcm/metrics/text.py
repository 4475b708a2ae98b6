"""Metrics of the answer as text: form, repetition, length, and character-level BLEU-4 and ROUGE-L.

BLEU and ROUGE are secondary: another patient's answer in the same template already scores about 0.5 char-ROUGE-L.
They are computed on characters, with no dictionary, so that the number depends on no segmenter's version.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

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
    where = _places(a)
    mask = (1 << len(a)) - 1
    row = mask
    for char in b:
        if hits := row & where.get(char, 0):
            row = ((row + hits) | (row - hits)) & mask
    return len(a) - row.bit_count()


@lru_cache(maxsize=1)  # BLEU and ROUGE ask for one gold text after another
def _places(text: str) -> Mapping[str, int]:
    """Each character of a text with its places, one bit each."""
    where: dict[str, int] = {}
    for i, char in enumerate(text):
        where[char] = where.get(char, 0) | 1 << i
    return where


def bleu4(gold: str, pred: str) -> float:
    """Character-level sentence BLEU-4, 0 to 1; white space is ignored.

    Counting is ours, less than half of the library's time; what the counts are worth is sacrebleu's.

    Source: Papineni et al. (2002) as in sacrebleu, with the settings in `bleu_convention`.
    """
    gold, pred = "".join(gold.split()), "".join(pred.split())
    if not gold or not pred:
        return 0.0
    total = [max(0, len(pred) - n) for n in range(4)]
    found = _bleu().compute_bleu(ngrams_found(gold, pred), total, len(pred), len(gold), "exp", effective_order=True)
    return min(1.0, found.score / 100)


def ngrams_found(gold: str, pred: str) -> list[int]:
    """How many runs of one to four characters of `pred` stand in `gold`, each at most as often as there.

    As in `lcs_length` a bit stands for each place of `gold`: where a run of n characters begins follows from where
    one of n - 1 does. A run that is found takes one of these places away from the next run like it.
    """
    where, found = _places(gold), []
    chars = runs = [where.get(char, 0) for char in pred]
    for n in range(4):
        if n:
            runs = [run & char >> n for run, char in zip(runs, chars[n:], strict=False)]
        free, count = (1 << len(gold)) - 1, 0
        for run in runs:
            if left := run & free:
                free ^= left & -left
                count += 1
        found.append(count)
    return found


def bleu_convention() -> str:
    """The settings behind `bleu4`, to be printed beside its number; sacrebleu's own signature."""
    bleu = _bleu()
    bleu.sentence_score("处方", ["处方"])
    return f"BLEU-4 per answer, 0 to 1: sacrebleu {bleu.get_signature()}"


@cache
def _bleu():
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize="char", effective_order=True)
