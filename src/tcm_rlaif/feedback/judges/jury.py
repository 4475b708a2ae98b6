"""Several judges as one: the mean of their ranks, since their scores are on scales of their own."""

from collections.abc import Mapping, Sequence

from tcm_rlaif.feedback.judges.base import JUDGED, Verdict, borda


def combine(verdicts: Mapping[str, Sequence[Verdict]]) -> list[Verdict]:
    """Verdicts of a jury.

    A candidate's score is the mean, over the judges that scored it, of its Borda score (`base.borda`). One judge alone
    keeps its own scores: they carry the margin that ranks throw away.

    Args:
        verdicts: judge name -> verdicts, each judge on the same items in the same order.
    """
    if len(verdicts) == 1:
        return list(next(iter(verdicts.values())))
    return [_combine_one(dict(zip(verdicts, of_item, strict=True))) for of_item in zip(*verdicts.values(), strict=True)]


def _combine_one(of_item: dict[str, Verdict]) -> Verdict:
    first = next(iter(of_item.values()))
    ranks = [borda(v.scores) for v in of_item.values()]
    known = [[rank for rank in column if rank is not None] for column in zip(*ranks, strict=True)]
    scores = tuple(sum(found) / len(found) if found else None for found in known)
    criteria = tuple(
        {f"{judge}.{name}": value for judge, v in of_item.items() for name, value in v.criteria[i].items()}
        for i in range(len(first.scores))
    )
    if None not in scores:
        status = JUDGED
    elif any(s is not None for s in scores):
        status = "partial"
    else:
        status = next((v.status for v in of_item.values() if v.status != JUDGED), JUDGED)
    return Verdict(first.case_id, scores, criteria, status)
