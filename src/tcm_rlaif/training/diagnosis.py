"""Why did it get worse? Asked where training on feedback cost herb F1 or usable answers, answered in figures."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from tcm.cases import Case
from tcm.metrics.intervals import interval, of_groups
from tcm_rlaif.feedback.judges.format_judge import FormatJudge
from tcm_rlaif.feedback.physicians import herb_f1
from tcm_rlaif.training.preference_run import PreferenceRun

WATCHED = {"herb_f1": "herb F1", "usable": "usable answers"}


def why_worse(run: PreferenceRun) -> list[str]:
    """What became of the watched cases, and, where it got worse, what the feedback taught.

    Args:
        run: after its training. Its first panel read the policy as it came in, its last one the policy that is kept.

    Returns:
        Sentences, each with a measured figure.
    """
    before, after = run.first_panel.scores[0], run.panel.scores[run.panel.kept_step]
    said, worse = changes(before, after)
    if not worse:
        return said
    last = run.panel.kept
    return [*said, *taught(run.pairs, run.feedback.items), *displaced(run.panel.rows[0], last)]


def changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> tuple[list[str], bool]:
    """How herb F1 and usable answers of the same cases changed, and whether either fell beyond its interval.

    Args:
        before: scores of each case; after: likewise, in the same order.
    """
    said, worse = [], False
    for name, words in WATCHED.items():
        found = [(b[name], a[name]) for b, a in zip(before, after, strict=True) if None not in (b[name], a[name])]
        if not found:
            continue
        low, high = interval([a - b for b, a in found])
        was, now = (fmean(pair[side] for pair in found) for side in (0, 1))
        fell = high < 0
        verdict = "worse" if fell else "better" if low > 0 else "no clear change"
        said.append(
            f"{words} on {len(found)} watched cases: {was:.3f} before, {now:.3f} after "
            f"(difference [{low:+.3f}, {high:+.3f}]): {verdict}."
        )
        worse |= fell
    return said, worse


def taught(pairs: Sequence[Mapping[str, Any]], items: Sequence[Any]) -> list[str]:
    """What the pairs could have taught: length, layout, or the physicians' herbs.

    Args:
        pairs: rows with `chosen`, `rejected`, `case_id`.
        items: prompts of the feedback, with the cases of the pairs.
    """
    asked = len({row["case_id"] for row in pairs})
    said = [f"{len(pairs)} pairs from {asked} of {len(items)} prompts; the funnel says why no more."]
    if not pairs:
        return said
    cases = {item.case.id: item.case for item in items}
    texts = [(cases[row["case_id"]], row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in pairs]
    layout = FormatJudge()
    for words, measure in (("length", lambda case, text: float(len(text))), ("layout", layout.score)):
        share = told_apart(texts, measure)
        said.append(f"by {words} alone chosen is the higher one in {share:.2f} of the pairs (tie: half; chance 0.5).")
    by_case: dict[str, list[bool]] = {}  # pairs of one prompt are no independent cases
    for case, *pair in texts:
        if case.answer and case.answer.prescription:
            better, worse = (herb_f1(case, text) for text in pair)
            by_case.setdefault(case.id, []).extend([better > worse] if better != worse else [])
    decided = [higher for pairs_of_case in by_case.values() for higher in pairs_of_case]
    if decided:
        low, high = of_groups([found for found in by_case.values() if found])
        said.append(
            f"chosen has the higher herb F1 in {sum(decided)} of {len(decided)} pairs whose answer is known "
            f"({fmean(decided):.2f} [{low:.2f}, {high:.2f}]; chance 0.5)."
        )
    return said


def told_apart(texts: Sequence[tuple[Case, str, str]], measure: Callable[[Case, str], float]) -> float:
    """Share of pairs in which chosen has more of something than rejected; a tie is half.

    Args:
        texts: case, chosen and rejected answer of each pair.
    """
    found = [(measure(case, chosen), measure(case, rejected)) for case, chosen, rejected in texts]
    return fmean((c > r) + 0.5 * (c == r) for c, r in found)


def displaced(first: Mapping[str, Any], last: Mapping[str, Any]) -> list[str]:
    """Whether the answers that were to become likelier became unlikelier (likelihood displacement, arXiv 2410.08847).

    Args:
        first, last: readings of the health panel.
    """
    sides = [(first[f"{side}_logp_per_token"], last[f"{side}_logp_per_token"]) for side in ("chosen", "rejected")]
    if any(None in side for side in sides):
        return []
    (chosen, chosen_now), (rejected, rejected_now) = sides
    both = "both fell" if chosen_now < chosen and rejected_now < rejected else "they did not both fall"
    return [
        f"log-probability a token of the watched pairs: chosen {chosen:.2f} to {chosen_now:.2f}, "
        f"rejected {rejected:.2f} to {rejected_now:.2f}: {both}."
    ]
