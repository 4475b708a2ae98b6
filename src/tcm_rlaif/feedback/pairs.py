"""From judged candidates to preference pairs, with every drop counted.

Which two candidates make a pair is a decision with consequences, so it is a named strategy, and what a strategy
proposes is filtered by margin, overlap and length *without* putting another pair in its place: a filter that swapped
pairs would silently be another strategy. Labels can be shuffled or flipped after all that, so that a control differs
from the study in its labels and in nothing else.
"""

import random
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tcm.answers import parse, previous_items, write_for
from tcm.cases import Case, PrescriptionItem
from tcm.knowledge import resolve_herb
from tcm_rlaif.feedback.judges.base import Item, Verdict, said_of
from tcm_rlaif.models.prompter import Prompter, checked
from tcm_rlaif.study.schema import Params

Previous = tuple[PrescriptionItem, ...]

NO_PAIRS = (
    "No pair is left (see the funnel): the judge sees no difference between the candidates. Nothing is trained, the "
    "policy passes through as it is. To change that: lower pair_margin, or sample more or hotter candidates."
)


@dataclass(frozen=True)
class Candidate:
    """A distinct candidate: its text and its score, None for a gold answer, which nobody judged."""

    text: str
    score: float | None


@dataclass(frozen=True)
class RowSet:
    """Rows to train on and how they came about.

    Args:
        rows: in TRL's conversational format, each with its ``case_id``. Preference pairs: ``prompt``, ``chosen``,
            ``rejected`` as lists of messages, ``score_chosen`` and ``score_rejected`` (None for a gold answer).
        funnel: rows ``{"unit", "step", "count"}``; within a unit (candidates, prompts, pairs) the first row is the
            sum of the others.
    """

    rows: list[dict]
    funnel: list[dict]


def herb_names(text: str, previous: Previous = ()) -> frozenset[str]:
    """Base herbs of an answer text, which may change the `previous` prescription; an unknown herb as it is written."""
    return frozenset(_doses(text, previous))


@lru_cache(maxsize=4096)
def _doses(text: str, previous: Previous) -> dict[str, float | None]:
    found = {}
    for item in parse(text, previous).answer.prescription:
        name = resolve_herb(item.herb)
        found[name.base if name else item.herb] = item.dose
    return found


def fingerprint(text: str, previous: Previous = ()) -> tuple:
    """What two answers must share to be near-duplicates.

    Disease, syndrome, formula and the herbs with their doses in whole grams, in any order (our choice, because the
    order of herbs and the wording of the treatment principle hardly change what a patient gets). A text that holds no
    prescription is compared by its characters, width and white space aside.
    """
    answer = parse(text, previous).answer
    if not answer.prescription:
        return (re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)),)
    doses = frozenset((herb, dose and round(dose)) for herb, dose in _doses(text, previous).items())
    return answer.disease, answer.syndrome, answer.formula, doses


def overlap(text_a: str, text_b: str, previous: Previous = ()) -> float:
    """Jaccard index of the base herbs, 0..1; 0 for two answers without any herb, which share no prescription.

    Pairs that share most of their tokens are those in which DPO lowers the probability of chosen and rejected alike
    (likelihood displacement).

    Source: arXiv 2410.08847
    """
    a, b = herb_names(text_a, previous), herb_names(text_b, previous)
    return len(a & b) / len(a | b) if a | b else 0.0


def distinct(item: Item, verdict: Verdict) -> tuple[list[Candidate], Counter]:
    """Merge near-duplicates, drop what has no score or did not end; best first, ties in the order sampled.

    The best-scored member speaks for a group of near-duplicates.

    Returns:
        The distinct candidates, and a count of ``cut off by the limit of tokens``, ``no valid judgement``, ``merged as
        near-duplicate`` and ``distinct``.
    """
    ended = [(text, score) for text, score, finished in said_of(item, verdict) if finished]
    scored = [Candidate(text, score) for text, score in ended if score is not None]
    groups: dict[tuple, Candidate] = {}
    for candidate in sorted(scored, key=lambda c: -c.score):
        groups.setdefault(fingerprint(candidate.text, previous_items(item.case)), candidate)
    counts = Counter({"cut off by the limit of tokens": len(item.candidates) - len(ended)})
    counts["no valid judgement"] = len(ended) - len(scored)
    counts["merged as near-duplicate"] = len(scored) - len(groups)
    counts["distinct"] = len(groups)
    return list(groups.values()), counts


def propose(case: Case, ranked: list[Candidate], P: Params, seed: int) -> list[tuple[Candidate, Candidate]]:
    """Pairs (chosen, rejected) that a strategy wants, at most `pair_number`, the one it wants most first.

    Args:
        ranked: distinct candidates, best first.
        P: `pair_strategy` is ``best_worst``: best with worst, second best with second worst, ...
            ``best_random_lower``: best with lower ones drawn at random (as UltraFeedback was binarised).
            ``best_mean_minus_2sigma``: best with the one next to mean − 2σ of the scores, a typically bad rather than a
            freak answer (arXiv 2502.16825). ``gold_sample``: the gold answer with samples drawn at random; their scores
            play no part.
        seed: draws depend on it and on the case id alone, so that adding a case changes no other case's pairs.
    """
    strategy, n, rng = P.pair_strategy, P.pair_number, random.Random(f"{seed}:{P.pair_strategy}:{case.id}")
    if strategy == "gold_sample":
        if case.answer is None:
            return []
        gold, previous = Candidate(write_for(case, P.sft_followup_layout), None), previous_items(case)
        others = [c for c in ranked if fingerprint(c.text, previous) != fingerprint(gold.text, previous)]
        return [(gold, c) for c in rng.sample(others, min(n, len(others)))]
    if strategy == "best_worst":
        pairs = list(zip(ranked[:n], reversed(ranked), strict=False))
        return [(a, b) for a, b in pairs if a.score > b.score]
    lower = [c for c in ranked if c.score < ranked[0].score] if ranked else []
    if strategy == "best_random_lower":
        chosen = rng.sample(lower, min(n, len(lower)))
    else:
        scores = [c.score for c in ranked]
        target = statistics.fmean(scores) - 2 * statistics.pstdev(scores) if scores else 0.0
        chosen = sorted(lower, key=lambda c: abs(c.score - target))[:n]
    return [(ranked[0], c) for c in chosen]


def _why_dropped(chosen: Candidate, rejected: Candidate, previous: Previous, P: Params) -> str:
    gold = chosen.score is None  # nobody judged it
    if not gold and chosen.score - rejected.score < P.pair_margin:
        return "score difference below the margin"
    if overlap(chosen.text, rejected.text, previous) > P.pair_max_overlap:
        return "herbs overlap too much"
    short, long = sorted((len(chosen.text), len(rejected.text)))
    if long / max(short, 1) > P.pair_max_length_ratio:
        return "lengths differ too much"
    return "kept"


def relabel(pair: tuple[Candidate, Candidate], labels: str, rng: random.Random) -> tuple[Candidate, Candidate]:
    """Controls: ``flipped`` swaps every pair, ``shuffled`` tosses a coin; the texts stay the same."""
    swap = labels == "flipped" or (labels == "shuffled" and rng.random() < 0.5)
    return pair[::-1] if swap else pair


def pairs_of(
    items: Sequence[Item], verdicts: Sequence[Verdict], P: Params, seed: int, prompter: Prompter | None = None
) -> RowSet:
    """Preference pairs from judged candidates, as the parameters want them, their prompts as the candidates were asked.

    Args:
        verdicts: one per item, in the same order.
        P: `pair_…`; proposals (`propose`) below the margin, of herbs that overlap too much or of lengths that differ
            too much (DPO would learn a length cue) are dropped, labels changed last (`relabel`).
        prompter: as for `candidates.sample_candidates`.

    Raises:
        ValueError: if items and verdicts do not belong together.
    """
    prompter = checked(prompter, P)
    candidates, prompts, pairs, rows = Counter(), Counter(), Counter(), []
    for item, verdict in zip(items, verdicts, strict=True):
        if item.case.id != verdict.case_id:
            raise ValueError(f"verdict of case {verdict.case_id!r} stands where {item.case.id!r} was expected")
        ranked, counts = distinct(item, verdict)
        candidates += counts
        proposed = propose(prompter.target(item.case), ranked, P, seed)
        prompts[_prompt_step(item, ranked, P, proposed)] += 1
        coin = random.Random(f"{seed}:labels:{item.case.id}")
        for pair in proposed:
            fate = _why_dropped(*pair, previous_items(item.case), P)
            pairs[fate] += 1
            swapped = relabel(pair, P.pair_labels, coin)
            if fate == "kept":
                rows.append(_row(item.case, *swapped, prompter.messages(item.case)))
    steps = [("candidates", "sampled", candidates), ("prompts", "all", prompts), ("pairs", "proposed", pairs)]
    return RowSet(rows, [row for step in steps for row in funnel(*step)])


def _prompt_step(item: Item, ranked: list[Candidate], P: Params, proposed: list) -> str:
    if proposed:
        return "with a proposed pair"
    if P.pair_strategy == "gold_sample":
        return "no gold answer" if item.case.answer is None else "every sample equals the gold answer"
    return "fewer than two distinct judged candidates" if len(ranked) < 2 else "all scores equal"


def _row(case: Case, chosen: Candidate, rejected: Candidate, prompt: list[dict[str, str]]) -> dict:
    return {
        "prompt": prompt,
        "chosen": [{"role": "assistant", "content": chosen.text}],
        "rejected": [{"role": "assistant", "content": rejected.text}],
        "case_id": case.id,
        "score_chosen": chosen.score,
        "score_rejected": rejected.score,
    }


def funnel(unit: str, whole: str, counts: Counter) -> list[dict]:
    """Rows of one unit, the first the sum of the others."""
    rows = [{"unit": unit, "step": whole, "count": sum(counts.values())}]
    return rows + [{"unit": unit, "step": step, "count": n} for step, n in counts.items() if n]
