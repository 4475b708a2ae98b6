"""The data-size axis of a study: every arm with SFT once for each number of training answers, as an arm of its own.

What the rest of the study sees are arms like any others (`tasks_40`), so that nothing else has to know of sizes.
"""

from tcm_rlaif.study.notebooks import TRAININGS
from tcm_rlaif.study.schema import Params

KEY = "sft_cases"
"""What differs along the axis: SFT and floors see only the first so many answers."""


def spread(P: Params) -> Params:
    """The study with its arms along the axis.

    Returns:
        Each arm with SFT that sets no `sft_cases` of its own once a size, `ARM_SIZE`; others as they are, so that
        spreading twice changes nothing. The study itself where it has no `sizes`.
    """
    arms = {}
    for arm, difference in P.arms.items():
        if P.sizes and KEY not in difference and "02_sft" in TRAININGS.get(difference.get("training", P.training), ()):
            arms |= {f"{arm}_{size}": {**difference, KEY: size} for size in P.sizes}
        else:
            arms[arm] = difference
    return P if arms == P.arms else P.model_copy(update={"arms": arms})


def places(P: Params) -> dict[str, tuple[str, int]]:
    """Arm on the axis -> its name without the size, and the size."""
    found = {arm: difference.get(KEY) for arm, difference in P.arms.items()}
    return {
        arm: (arm.removesuffix(f"_{size}"), size)
        for arm, size in found.items()
        if size in P.sizes and arm.endswith(f"_{size}")
    }


def told(P: Params) -> list[str]:
    """The arms that a sentence about all arms names: on an axis those at the (largest) size with the most seeds."""
    on = places(P)
    best = max(P.sizes, key=lambda size: (P.sizes[size], size), default=None)
    return [arm for arm in P.arms if arm not in on or on[arm][1] == best]
