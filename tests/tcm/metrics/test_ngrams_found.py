"""Shared runs of characters are counted as one would count them: each at most as often as it stands there."""

import random
from collections import Counter

import pytest

from tcm.metrics.text import lcs_length, ngrams_found


def counted(gold: str, pred: str) -> list[int]:
    """The plain way: all runs of a length, as multisets."""
    runs = [[Counter(text[i : i + n] for i in range(len(text) - n + 1)) for n in range(1, 5)] for text in (gold, pred)]
    return [(one & other).total() for one, other in zip(*runs, strict=True)]


def longest(a: str, b: str) -> int:
    """The longest common subsequence by the usual table."""
    row = [0] * (len(b) + 1)
    for char in a:
        before = row
        row = [0]
        for j, other in enumerate(b):
            row.append(before[j] + 1 if char == other else max(row[j], before[j + 1]))
    return row[-1]


@pytest.mark.parametrize("letters", ["甘", "甘草", "甘草10g，", "一二三四五六七八九十百千"])
def test_counts_and_lengths_are_those_of_the_plain_way(letters: str) -> None:
    dice = random.Random(len(letters))
    for _ in range(150):
        gold, pred = ("".join(dice.choices(letters, k=dice.randint(0, 40))) for _ in range(2))
        assert ngrams_found(gold, pred) == counted(gold, pred)
        assert lcs_length(gold, pred) == longest(gold, pred)


def test_one_text_after_another_is_counted_by_its_own_places() -> None:
    for gold in ("柴胡10g", "黄芩9g", "柴胡10g"):
        assert ngrams_found(gold, "柴胡10g")[0] == (5 if gold == "柴胡10g" else 1)
        assert lcs_length(gold, gold) == len(gold)
