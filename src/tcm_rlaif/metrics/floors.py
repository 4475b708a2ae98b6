"""Floors and attacks: answers that need no model, to be shown in every table beside the models.

A floor is the best one can do without looking at the patient, or by looking up a similar one. On MTCMB TCM-PR the
most frequent herbs alone score 46.5, above every published model (41). An attack is an answer made to please a
scorer. A metric on which an attack beats the gold answer must not be primary; a table of primary metrics without
floors is refused.

Every function takes the training cases and the cases to answer and returns one text per case, None where the
floor does not apply to a case. Gold answers of the cases to answer are never read.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import TYPE_CHECKING

from tcm_rlaif.answers import write
from tcm_rlaif.cases import Answer, Case, PrescriptionItem
from tcm_rlaif.metrics.dose import grams
from tcm_rlaif.metrics.sets import herb_set

if TYPE_CHECKING:
    import pandas

TEMPLATE = "中医诊断：。证型：。治法：。方剂：。处方：。7剂，水煎服。"
NONSENSE = "鑫淼焱垚森磊犇骉猋羴鱻麤毳晶"
"""Characters that stand in no herb name; two of them make an invented herb."""

Floor = Callable[[Sequence[Case], Sequence[Case]], list[str | None]]


class MissingFloors(ValueError):
    """A table of primary metrics was asked for without the floors that give its numbers a meaning."""


def popularity(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """The same answer for everybody: the k most frequent herbs of `train`, k = mean number of herbs there.

    Doses are medians in g, labels the most frequent ones; ties between herbs go by name, between labels to the first.
    """
    answers = _answers(train)
    items = tuple(_items(answers)[: _mean_size(answers)])
    labels = {field: _most_frequent(getattr(a, field) for a in answers) for field in _LABELS}
    packets = Counter(a.packets for a in answers if a.packets).most_common(1)
    answer = Answer(**labels, prescription=items, packets=packets[0][0] if packets else None)
    return [write(answer)] * len(cases)


_LABELS = ("disease", "syndrome", "treatment_principle", "formula", "usage")


def _answers(train: Sequence[Case]) -> list[Answer]:
    answers = [case.answer for case in train if case.answer and case.answer.prescription]
    if not answers:
        raise ValueError("no training case has a prescription: floors are built from gold answers of training cases")
    return answers


def _items(answers: Sequence[Answer]) -> list[PrescriptionItem]:
    """Every herb of some answers with its median dose in g, the most frequent herb first."""
    counts: Counter[str] = Counter()
    doses: dict[str, list[float]] = {}
    for answer in answers:
        counts.update(herb_set(answer.herbs, "canonical"))
        for herb, amount in grams(answer.prescription).items():
            doses.setdefault(herb, []).append(amount)
    ranked = sorted(counts, key=lambda herb: (-counts[herb], herb))
    return [PrescriptionItem(herb=herb, dose=median(doses[herb]) if herb in doses else None) for herb in ranked]


def _mean_size(answers: Sequence[Answer]) -> int:
    return round(fmean(len(herb_set(answer.herbs, "canonical")) for answer in answers))


def _most_frequent(values: Iterable[str]) -> str:
    ranked = Counter(v for v in values if v).most_common(1)
    return ranked[0][0] if ranked else ""


def nearest_case(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """The answer of the most similar training case: Dice of the sets of character bigrams of the findings.

    Ties go to the earlier training case.
    """
    _answers(train)
    pool = [(_bigrams(case.visit.findings), case.answer) for case in train if case.answer and case.answer.prescription]
    texts = []
    for case in cases:
        own = _bigrams(case.visit.findings)
        best = max(pool, key=lambda entry: _dice(own, entry[0]))
        texts.append(write(best[1]))
    return texts


def _bigrams(text: str) -> frozenset[str]:
    return frozenset(text[i : i + 2] for i in range(len(text) - 1)) or frozenset([text])


def _dice(a: frozenset[str], b: frozenset[str]) -> float:
    return 2 * len(a & b) / (len(a) + len(b))


def copy_previous(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """The previous visit's answer again; None on a first visit, where there is nothing to copy."""
    return [write(case.previous_answer) if case.previous_answer else None for case in cases]


def template_only(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """The layout of an answer with every field empty: what text metrics pay for form alone."""
    return [TEMPLATE] * len(cases)


def empty(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """No answer at all."""
    return [""] * len(cases)


def list_everything(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """Every label and every herb that occurs in `train`, with median doses: beats scorers that take recall alone."""
    answers = _answers(train)
    labels = {
        field: "、".join(dict.fromkeys(v for v in (getattr(a, field) for a in answers) if v)) for field in _LABELS
    }
    return [write(Answer(**labels, prescription=tuple(_items(answers)), packets=7))] * len(cases)


def nonsense_names(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """As many invented herbs as training prescriptions have on average: beats scorers that pay for size."""
    names = [a + b for a in NONSENSE for b in NONSENSE if a != b][: _mean_size(_answers(train))]
    items = tuple(PrescriptionItem(herb=name, dose=10.0) for name in names)
    answer = Answer(disease="鑫淼", syndrome="焱垚", treatment_principle="森磊", formula="犇骉", prescription=items)
    return [write(answer)] * len(cases)


FLOORS: Mapping[str, Floor] = {
    "popularity": popularity,
    "nearest_case": nearest_case,
    "copy_previous": copy_previous,
    "template_only": template_only,
}
ATTACKS: Mapping[str, Floor] = {
    "empty": empty,
    "list_everything": list_everything,
    "nonsense_names": nonsense_names,
}


def metrics_table(rows: Mapping[str, Mapping[str, Mapping]], metrics: Sequence[str]) -> "pandas.DataFrame":
    """Means of chosen metrics, one row a model, floor or attack; refuses to show a number without its floor.

    Args:
        rows: row name → what `summarise` returned. Floors are rows named as in `FLOORS`.
        metrics: the columns, e.g. ``PRIMARY``.

    Returns:
        A table with two columns per metric, the mean and ``n <metric>``, the number of cases behind it.

    Raises:
        MissingFloors: if a metric that has a value in any row has none in any floor's row.
    """
    import pandas

    floors = [rows[name] for name in FLOORS if name in rows]
    bare = [m for m in metrics if _has(rows.values(), m) and not _has(floors, m)]
    if bare or not floors:
        raise MissingFloors(
            f"no floor beside {', '.join(bare) or 'these rows'}: score the answers of {', '.join(FLOORS)} on the same "
            "cases and give them as rows of those names"
        )
    table = {
        name: {k: v for m in metrics for k, v in ((m, summary[m]["mean"]), (f"n {m}", summary[m]["n"]))}
        for name, summary in rows.items()
    }
    return pandas.DataFrame.from_dict(table, orient="index")


def _has(summaries: Iterable[Mapping[str, Mapping]], metric: str) -> bool:
    return any(summary[metric]["n"] for summary in summaries)
