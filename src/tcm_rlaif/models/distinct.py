"""A prescription is a set: a herb that an answer has named is not named again while it is being written.

A small model that answers greedily falls into a loop of one herb (生怀地黄12g，生怀地黄12g，…). The token that would
end a name for the second time is not drawn; the answer goes on with what comes next likeliest. Names are compared as
they are written, so 炙甘草 may stand beside 甘草; what scores and audit make of the two is their affair.

Source:
    Herbs of a prescription as a set: TCM-FTP, arXiv 2407.10510 (there by permuted answers in training). A rule while
    answers are drawn is our choice; n-gram blocking (arXiv 1705.04304) would also refuse equal doses.
"""

import re
from collections.abc import Sequence

from tcm_rlaif.study.types import Tokenizer

LABEL = "处方："
BETWEEN = re.compile(r"[，、,；;。\s]")
NAME = re.compile(r"[^\d（(]*")  # up to the dose or a remark


def named_again(text: str) -> bool:
    """Whether the last words of an answer are the name of a herb that its prescription holds already."""
    _, label, prescription = text.rpartition(LABEL)
    *before, last = BETWEEN.split(prescription) if label else [""]
    return bool(last) and last in {NAME.match(item).group() for item in before}


class Distinct:
    """What `decode` asks of every token that it is about to take."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def refuses(self, drawn: Sequence[int], token: int) -> bool:
        """Whether the answer would name a herb again with this token."""
        return named_again(self.tokenizer.decode([*drawn, token], skip_special_tokens=True))
