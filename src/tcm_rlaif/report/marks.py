"""One colour and one mark for each arm, the same in every figure of every report, told apart in grey by the mark."""

import re
import zlib

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito: told apart by all."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", "*")
ARMS = (
    "base", "sft", "sft_dpo", "sft_best_of_n", "random_choice", "dpo_only", "best_of_n", "consensus", "sft_chosen",
    "sft_more", "sft_grpo", "sft_dpo_shuffled", "sft_dpo_flipped", "sft_dpo_alone", "sft_full_followups",
    "format_judge", "rubric_judge", "noise_0", "noise_20", "noise_50", "noise_100", "no_agreement", "likes_length",
    "base_retrieved", "retrieved", "permuted", "augmented", "textbook", "retrieved_best_of_n", "sft_kto", "two_rounds",
    "judge_writes", "noise_10", "noise_30", "noise_40", "two_thirds", "tasks", "rewritten", "competence", "boundary",
    "noise_stability", "by_disease", "prompt", "prefix", "invented", "best_of_n_both",
    "retrieved_cases", "retrieved_dpo", "base_retrieved_cases", "retrieved_as_written", "best_of_n_after_dpo",
)  # fmt: skip
"""Arms of the params files of this project, without the number of answers that `sizes` puts behind a name. New ones go
to the end: a place in this list is a colour and a mark."""


def mark_of(arm: str) -> tuple[str, str]:
    """Colour and marker of an arm; an idea has those of its name at every number of answers (`tasks_40`).

    Seven colours and nine markers share no divisor, so the first 63 places have 63 different pairs. An arm that is
    not in `ARMS` takes a place behind them by its name alone: two such arms may meet, the names beside them do not.
    """
    idea = re.sub(r"_\d{2,}$", "", arm)
    arm = idea if arm not in ARMS and idea in ARMS else arm
    free = len(COLOURS) * len(MARKERS) - len(ARMS)
    place = ARMS.index(arm) if arm in ARMS else len(ARMS) + zlib.crc32(arm.encode()) % free
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
