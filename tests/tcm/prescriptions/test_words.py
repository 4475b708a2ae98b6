"""Words are cut as by the plain grammar: what saves attempts where no word can begin changes none of them."""

import random
import re

import pytest
from invented_notation import prescription

from tcm.prescriptions import tokens
from tcm.prescriptions.notation import read_prescription, read_prescriptions

PIECES = (
    *"，、。；：（）()\n \t|/-+*各或和去加减改易为至一二三两半钱克剂付日次g钱0149水煎服每分先后下单合总其余",
    *("桑叶", "菊花10g", "12克", "三钱", "七剂", "水煎服", "先煎1小时", "上方", "余药同前", "一枝黄花", "片姜黄"),
    *("lOg", "0,5g", "￥1.20", "0.15元", "Y0012", "2024-05-06", "1.5g", "3 0g", "10q", "2.5kg", "X7剂", "9-12g", "KG"),
    *("单价3元", "各等分", "每次3g", "加10g", "减半", "改为", "不用", "酌加", "布包煎", "半小时", "日二剂", "两面针"),
)


@pytest.fixture
def plain_grammar(monkeypatch: pytest.MonkeyPatch):
    """The grammar that tries a word at each character which stands anywhere in its pattern, and each word at a dose."""
    monkeypatch.setattr(tokens, "_han_first", lambda pattern: "".join(set(re.findall(f"[{tokens.HAN}]", pattern))))
    monkeypatch.setattr(tokens, "_PLAIN_DOSE", "(?!)")
    for cached in (tokens._vocabulary, tokens._grammar):
        cached.cache_clear()
    yield
    for cached in (tokens._vocabulary, tokens._grammar):
        cached.cache_clear()


def words(texts: list[str]) -> list[list[tuple]]:
    """The words of each text, as a prescription and as a change of one, with what they say."""
    cut = [tokens.tokens(text, tokens.plain(text), relative) for text in texts for relative in (False, True)]
    return [[(*word[:5], word.match and word.match.groupdict()) for word in one] for one in cut]


def test_words_are_those_of_the_plain_grammar(request: pytest.FixtureRequest) -> None:
    dice = random.Random(3)
    texts = [prescription(dice)[1] for _ in range(120)]
    texts += ["".join(dice.choice(PIECES) for _ in range(dice.randint(2, 25))) for _ in range(400)]
    fast = words(texts)
    request.getfixturevalue("plain_grammar")
    assert fast == words(texts)
    assert {word[0] for one in fast for word in one} > {"pack", "handle", "rest", "verb", "use", "slip", "comma", "han"}


def test_a_class_of_other_han_characters_lacks_those_alone() -> None:
    taken = "〇\u3400三七\u9fff\ufa0e\U0002c72c\U0003ffff"
    other, near = re.compile(f"[{tokens._han_but(taken)}]"), "\u3401一丁丐八\u9ffe\ufa0f\U0002c72b\U0002c72d"
    assert not any(map(other.match, taken + "a1，。\u3008\ua000\uf8ff\ufb00")) and all(map(other.match, near))
    assert re.fullmatch(f"[{tokens._han_but('')}]+", near + taken)


@pytest.mark.parametrize("text", ["三KG", "一Mg3G", "处方：半KG", "三-3片姜黄", "甘草三-3片姜黄10g"])
def test_capitals_and_a_minus_do_not_stop_the_reader(text: str) -> None:
    assert read_prescriptions(text)


def test_a_unit_in_capitals_is_the_unit() -> None:
    assert read_prescription("黄芪20G，三七3MG").items == read_prescription("黄芪20g，三七3mg").items
    assert read_prescription("炒白术一KG，X7剂").packets == 7
