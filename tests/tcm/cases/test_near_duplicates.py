"""Chains of near-duplicates are those of a comparison of all pairs, whatever the texts look like."""

import random
from itertools import combinations

import pytest

from tcm.cases import near_duplicates
from tcm.cases.near_duplicates import chains

WORDS = "入睡困难 心烦易怒 口苦口干 两胁胀痛 纳差便溏 头晕目眩 腰膝酸软 畏寒肢冷 咳嗽痰多 胸闷气短 舌红苔黄".split()


def all_pairs(texts: list[str], threshold: float) -> list[int]:
    """The same by comparing every pair."""
    grams = [{t[i : i + 3] for i in range(max(1, len(t) - 2))} for t in texts]
    chain = list(range(len(texts)))
    for i, j in combinations(range(len(texts)), 2):
        shared = len(grams[i] & grams[j])
        if shared / (len(grams[i]) + len(grams[j]) - shared) >= threshold and chain[i] != chain[j]:
            old, new = chain[j], chain[i]
            chain = [new if c == old else c for c in chain]
    numbers: dict[int, int] = {}
    return [numbers.setdefault(c, len(numbers)) for c in chain]


def wording(rng: random.Random) -> str:
    return "".join(rng.sample(WORDS, rng.randint(2, 8)))


def letters(rng: random.Random) -> str:
    return "".join(rng.choice("甲乙丙丁") for _ in range(rng.randint(0, 12)))


def copies(rng: random.Random) -> str:
    """A few texts, each with some characters changed."""
    text = list("".join(random.Random(rng.randrange(5)).sample(WORDS, 10)))
    for _ in range(rng.randint(0, 6)):
        text[rng.randrange(len(text))] = rng.choice("甲乙丙丁戊己")
    return "".join(text)


def shared_phrase(rng: random.Random) -> str:
    return "".join(WORDS) + "".join(rng.choice("甲乙丙丁戊己庚辛") for _ in range(rng.randint(0, 12)))


@pytest.mark.parametrize("kind", [wording, letters, copies, shared_phrase])
@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 2 / 3, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_chains_are_those_of_all_pairs(kind, threshold: float, seed: int, monkeypatch) -> None:
    rng = random.Random(f"{kind.__name__}-{seed}")
    texts = [kind(rng) for _ in range(70)]
    monkeypatch.setattr(near_duplicates, "WORK", rng.choice([50, 2000, 10**7]))  # many small blocks, or one
    monkeypatch.setattr(near_duplicates, "PAIRS", rng.choice([3, 500]))
    monkeypatch.setattr(near_duplicates, "HASHES", rng.choice([0, 3]))
    monkeypatch.setattr(near_duplicates, "BIG", rng.choice([0.02, 1]))
    assert chains(texts, threshold).tolist() == all_pairs(texts, threshold)


def test_no_text_gives_no_chain() -> None:
    assert chains([], 0.8).tolist() == []


def test_texts_without_a_letter_are_one() -> None:
    assert chains(["", "失", "", "失眠"], 0.8).tolist() == [0, 1, 0, 2]
