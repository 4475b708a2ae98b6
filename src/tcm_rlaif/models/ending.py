"""An answer that goes round in circles ends before its circle.

A small model falls into a loop of one herb (生怀地黄12g，生怀地黄12g，…) and never ends. What stands before the loop
is an answer; what stands in it says nothing more, whoever reads it or learns from it. A herb named twice is no loop:
textbooks that put two formulas together (白头翁汤合芍药汤) name 黄连 in each. Names are compared as they are written.

Source:
    Herbs of a prescription as a set: TCM-FTP, arXiv 2407.10510 (there by permuted answers in training). A rule while
    answers are drawn is our choice. Tried first and given up: to refuse the token that completes a name for the second
    time. The model then invents names (生杭蒲地黄, 生杭蒲地虎, …): herb F1 0.13 instead of 0.18 on the validation
    cases of TCM-BEST4SDT (0.5B, one seed). N-gram blocking (arXiv 1705.04304) would also refuse equal doses.
"""

import re
from collections.abc import Callable, Sequence

from tcm_rlaif.study.types import Tokenizer

LABEL, END = "处方：", "。"
TIMES = 3  # named so often, a herb is in a loop: none is in the 274 public answers to train and validate with
ITEM = re.compile(r"(?:（[^）]*）|\([^)]*\)|[^，、,；;。\s（(])+")  # remarks in brackets belong to their herb
NAME = re.compile(r"[^\d（(]+(?=.)", re.DOTALL)  # whole: its dose, a remark or the next herb has begun


def before_loop(text: str) -> str | None:
    """The answer up to the herbs that its prescription names again and again.

    Returns:
        The shorter answer, ended as a sentence: without the third naming of a herb, the repeated herbs just before it,
        and what follows. None where no whole name comes three times.
    """
    head, label, prescription = text.rpartition(LABEL)
    start = len(head) + len(label)
    named: list[str] = []
    circle: int | None = None  # where the run of repeated herbs begins
    for item in ITEM.finditer(prescription.partition(END)[0] if label else ""):
        name = NAME.match(text, start + item.start(), start + item.end() + 1)
        if name is None:
            continue
        before = named.count(name.group())
        if not before:
            circle = None
        elif circle is None:
            circle = start + item.start()
        if before + 1 == TIMES:
            return text[:circle].rstrip("，、,；; \n") + END
        named.append(name.group())
    return None


def loops(tokenizer: Tokenizer) -> Callable[[Sequence[int]], bool]:
    """What `decode` asks of the tokens of an answer: whether they have begun a loop."""
    return lambda drawn: before_loop(tokenizer.decode(drawn, skip_special_tokens=True)) is not None
