"""Thoughts are told by one list of tags, in answers and in judges' replies alike."""

import pytest

from tcm.answers.thoughts import without_thoughts


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("<any:think>", "</any:think>"),
        ("<|channel|>commentary<|message|>", "<|channel|>final<|message|>"),
        ("<|channel|>analysis", "<|channel|>final"),
    ],
)
def test_a_tag_that_judges_write_is_a_thought_of_an_answer_too(begin: str, end: str) -> None:
    assert without_thoughts(f"{begin}先拟肝郁{end}证型：脾虚。") == ("证型：脾虚。", ["先拟肝郁"], "")
