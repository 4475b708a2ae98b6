"""Training cases in other words: the same patient and the same answer, findings by their synonyms and in other orders.

Source:
    Rewriting the examples that there are: arXiv 2305.07804, where a large language model rewrites. What we changed:
    the words come from our table of synonyms, so that it needs no network and cannot say another thing.
"""

import random
import re
from functools import cache

from tcm import knowledge
from tcm.cases import Case, Visit

RATE = 0.5
"""Share of the findings known to the table that are said otherwise; our choice."""
ATTEMPTS = 20  # draws for one more wording that was not there yet


@cache
def other_words() -> dict[str, tuple[str, ...]]:
    """Every name of a symptom -> its other names, from the table read in both directions.

    A name that stands for two symptoms is left out: nobody could tell which of them is meant.
    """
    groups = [(symptom, *others) for symptom, others in knowledge.symptom_synonyms().items()]
    names = [name for group in groups for name in dict.fromkeys(group)]
    return {
        name: tuple(other for other in group if other != name)
        for group in groups
        for name in group
        if names.count(name) == 1
    }


@cache
def _known() -> re.Pattern:
    """A name that stands by itself, not as a part of a longer word: up to a stop, a duration, or how it went since."""
    names = "|".join(map(re.escape, sorted(other_words(), key=len, reverse=True)))
    return re.compile(rf"(?<![^，、。；现])(?:{names})(?=[，、。；\d]|半|反复|减轻|好转|明显|仍|已|甚|$)")


def said_otherwise(text: str, rng: random.Random) -> str:
    """A text with some of its symptoms by other names."""
    return _known().sub(lambda found: rng.choice(other_words()[found[0]]) if rng.random() < RATE else found[0], text)


def _visit(visit: Visit, shuffled: bool, rng: random.Random) -> Visit:
    history = visit.history.split("，")
    if shuffled:
        rng.shuffle(history)
    words = {"chief_complaint": visit.chief_complaint, "history": "，".join(history)}
    return visit.model_copy(update={field: said_otherwise(text, rng) for field, text in words.items()})


def rewritten(case: Case, number: int) -> list[Case]:
    """The same case in other words; findings of a first visit also in another order, since a follow-up tells a story.

    Returns:
        `number` cases, all worded differently, fewer where so few of the findings have other names.
    """
    rng, visits = random.Random(f"rewriting-{case.id}"), {case.visit: None}
    for _ in range(number * ATTEMPTS):
        if len(visits) > number:
            break
        visits.setdefault(_visit(case.visit, case.task == "first_visit", rng))
    return [
        case.model_copy(update={"id": f"{case.id}-rewriting-{n}", "visit": visit})
        for n, visit in enumerate(visits)
        if n
    ]
