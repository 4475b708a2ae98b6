"""Floors and attacks: answers that need no model, to be shown in every table beside the models.

A floor is the best one can do without looking at the patient, or by looking up a similar one. On MTCMB TCM-PR the
most frequent herbs alone score 46.5, above every published model (41). An attack is an answer made to please a
scorer. A metric on which an attack beats the gold answer must not be primary; a table of primary metrics without
floors is refused.

Every function takes the training cases and the cases to answer and returns one text per case, None where the
floor does not apply to a case. Gold answers of the cases to answer are never read.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cache
from statistics import fmean, median
from typing import TYPE_CHECKING

from tcm.cases import Answer, Case, PrescriptionItem
from tcm.metrics.dose import grams
from tcm.metrics.sets import herb_set

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

    Doses are medians in g, labels the most frequent ones; ties go by name.
    """
    answers = _answers(train)
    items = tuple(_items(answers)[: _mean_size(answers)])
    labels = {field: "".join(_ranked(_labels(answers, field))[:1]) for field in _LABELS}
    packets = Counter(a.packets for a in answers if a.packets).most_common(1)
    answer = Answer(**labels, prescription=items, packets=packets[0][0] if packets else None)
    return [_written(answer)] * len(cases)


def _written(answer: Answer) -> str:
    from tcm.answers import write  # loads the reader: `./study params` asks for the names of floors alone

    return write(answer)


def _labels(answers: Iterable[Answer], field: str) -> Counter[str]:
    return Counter(value for answer in answers if (value := getattr(answer, field)))


_LABELS = ("disease", "syndrome", "treatment_principle", "formula", "usage")


def _pool(train: Sequence[Case]) -> list[Case]:
    """Training cases with a prescription; where a source has none at all, those with any gold answer."""
    prescribed = [case for case in train if case.answer and case.answer.prescription]
    pool = prescribed or [case for case in train if case.answer]
    if not pool:
        raise ValueError("no training case has a gold answer, and floors are built from these")
    return pool


def _answers(train: Sequence[Case]) -> list[Answer]:
    return [case.answer for case in _pool(train)]


def _items(answers: Sequence[Answer]) -> list[PrescriptionItem]:
    """Every herb of some answers with its median dose in g, the most frequent herb first."""
    counts, doses = _counts_and_doses(answers)
    return [_median_item(herb, doses[herb].values()) for herb in _ranked(counts)]


def _counts_and_doses(answers: Sequence[Answer]) -> tuple[Counter[str], dict[str, dict[int, float]]]:
    """In how many answers each herb stands, and herb → index of the answer → dose in g."""
    counts: Counter[str] = Counter()
    doses: dict[str, dict[int, float]] = {}
    for index, answer in enumerate(answers):
        herbs = herb_set(answer.herbs, "canonical")
        counts.update(herbs)
        for herb in herbs:
            doses.setdefault(herb, {})
        for herb, amount in grams(answer.prescription).items():
            doses[herb][index] = amount
    return counts, doses


def _ranked(counts: Counter[str]) -> list[str]:
    """Names, the most frequent first, ties by name."""
    return sorted(counts, key=lambda name: (-counts[name], name))


def _ranked_without(ranked: Sequence[str], counts: Counter[str], own: Set[str], size: int) -> list[str]:
    """The first `size` names of the ranking in which every name of `own` counts once less, and not at all at 0.

    Names outside `own` keep their order, so the first ``size + len(own)`` names and `own` hold all that can be in it.
    """
    left = {name: counts[name] - (name in own) for name in (*ranked[: size + len(own)], *(own & counts.keys()))}
    return sorted((name for name in left if left[name]), key=lambda name: (-left[name], name))[:size]


def _median_item(herb: str, doses: Iterable[float]) -> PrescriptionItem:
    amounts = list(doses)
    return PrescriptionItem(herb=herb, dose=median(amounts) if amounts else None)


def _mean_size(answers: Sequence[Answer]) -> int:
    return round(fmean(len(herb_set(answer.herbs, "canonical")) for answer in answers))


def leave_one_out(answers: Sequence[Answer]) -> list[Answer]:
    """For every gold answer the popularity answer built from all the others, where no training cases are at hand.

    An optimistic floor: it knows the prescriptions of the other patients that are scored.

    Args:
        answers: two or more gold answers with prescriptions.
    """
    counts, doses = _counts_and_doses(answers)
    labels = {field: _labels(answers, field) for field in _LABELS}
    ranks = {field: _ranked(found) for field, found in labels.items()}
    ranked, size = _ranked(counts), round(counts.total() / len(answers))  # as `_mean_size`
    floors = []

    @cache
    def without(herb: str, own: float | None) -> PrescriptionItem:
        """The herb with the median of the doses but one; only its amount matters, so few medians are taken."""
        amounts = list(doses[herb].values())
        if own is not None:
            amounts.remove(own)
        return _median_item(herb, amounts)

    for index, own in enumerate(answers):
        herbs = _ranked_without(ranked, counts, herb_set(own.herbs, "canonical"), size)
        items = tuple(without(herb, doses[herb].get(index)) for herb in herbs)
        popular = {f: _ranked_without(ranks[f], labels[f], {getattr(own, f)}, 1) for f in _LABELS}
        floors.append(Answer(**{field: "".join(names) for field, names in popular.items()}, prescription=items))
    return floors


def nearest_case(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """The answer of the most similar training case: Dice of the sets of character bigrams of the findings.

    Ties go to the earlier training case.
    """
    pool = [(_bigrams(case.visit.findings), case.answer) for case in _pool(train)]
    texts = []
    for case in cases:
        own = _bigrams(case.visit.findings)
        best = max(pool, key=lambda entry: 2 * len(own & entry[0]) / (len(own) + len(entry[0])))
        texts.append(_written(best[1]))
    return texts


def _bigrams(text: str) -> frozenset[str]:
    return frozenset(text[i : i + 2] for i in range(len(text) - 1)) or frozenset([text])


def copy_previous(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """The previous visit's answer again; None on a first visit, where there is nothing to copy."""
    return [_written(case.previous_answer) if case.previous_answer else None for case in cases]


def template_only(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """The layout of an answer with every field empty: what text metrics pay for form alone."""
    return [TEMPLATE] * len(cases)


def empty(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """No answer at all."""
    return [""] * len(cases)


def expert_rule(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """The first formula of the pattern of the tables that fits a case best, with its labels; reads no training case.

    An empty answer where no finding is known to the tables.
    """
    from tcm.evidence.witnesses import rule_answers  # reads all tables: only where this floor is asked for
    from tcm.knowledge.fit_matrix import sign_fits

    return [_written(answer) for answer in rule_answers(sign_fits(cases))]


def expert(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """The answer with the highest expected herb F1 under all evidence.

    Patterns that fit, similar training cases, popularity and the previous prescription, weighed as fits the training
    answers best (leave one out): `tcm.evidence`.
    """
    from tcm.evidence import Evidence

    return [_written(found.answer) for found in Evidence(train).about(cases)]


def pattern_oracle(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """Of all formulas of all patterns, the one that agrees best with the gold answer (herb F1 at base level).

    No floor, since it reads the gold answers: the most that any choice of a pattern and its formula could reach. None
    without a gold prescription; ties go to the earlier pattern.
    """
    from tcm.evidence.witnesses import base_herbs, pattern_answers

    answers = pattern_answers()[0]
    known = [base_herbs(answer.herbs) for answer in answers]
    texts: list[str | None] = []
    for case in cases:
        gold = base_herbs(case.answer.herbs) if case.answer else frozenset()
        best = max(range(len(known)), key=lambda i: len(gold & known[i]) / (len(gold) + len(known[i])))
        texts.append(_written(answers[best]) if gold else None)
    return texts


def list_everything(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """Every label and every herb that occurs in `train`, with median doses: beats scorers that take recall alone."""
    answers = _answers(train)
    labels = {
        field: "、".join(dict.fromkeys(v for v in (getattr(a, field) for a in answers) if v)) for field in _LABELS
    }
    return [_written(Answer(**labels, prescription=tuple(_items(answers)), packets=7))] * len(cases)


def nonsense_names(train: Sequence[Case], cases: Sequence[Case]) -> list[str | None]:
    """As many invented herbs as training prescriptions have on average: beats scorers that pay for size."""
    names = [a + b for a in NONSENSE for b in NONSENSE if a != b][: _mean_size(_answers(train))]
    items = tuple(PrescriptionItem(herb=name, dose=10.0) for name in names)
    answer = Answer(disease="鑫淼", syndrome="焱垚", treatment_principle="森磊", formula="犇骉", prescription=items)
    return [_written(answer)] * len(cases)


FLOORS: Mapping[str, Floor] = {
    "popularity": popularity,
    "nearest_case": nearest_case,
    "copy_previous": copy_previous,
    "template_only": template_only,
    "expert_rule": expert_rule,
    "expert": expert,
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
