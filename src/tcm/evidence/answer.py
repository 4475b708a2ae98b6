"""From weighed witnesses to a whole answer: forms and doses of the chosen herbs, and the fields that are words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tcm.cases import Answer, PrescriptionItem
from tcm.evidence.witnesses import base_herb
from tcm.knowledge import dose_in_g, resolve_herb

LABELS = ("disease", "syndrome", "treatment_principle", "formula")


@dataclass(frozen=True)
class _Said:
    """What the witnesses wrote in one place: distinct wordings, and who wrote which.

    Args:
        wordings: in the order of the names, so that ties go by name.
        witness: numbers of the witnesses that wrote something.
        code: place in `wordings` of what each wrote.
        dose: g of each, NaN where none was given; empty where the place is no herb.
    """

    wordings: tuple[str, ...]
    witness: np.ndarray
    code: np.ndarray
    dose: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[tuple[int, str, float | None]]) -> "_Said":
        wordings = tuple(sorted({wording for _, wording, _ in rows}))
        place = {wording: code for code, wording in enumerate(wordings)}
        witness, code = (np.array(column, int) for column in ([n for n, _, _ in rows], [place[w] for _, w, _ in rows]))
        return cls(wordings, witness, code, np.array([np.nan if dose is None else dose for _, _, dose in rows]))

    def place(self, wording: str) -> int:
        """Code of a wording; -1 where nobody wrote it."""
        return self.wordings.index(wording) if wording in self.wordings else -1

    def elected(self, votes: np.ndarray, before: str = "", weight_before: float = 0.0) -> str:
        """The wording with the most votes, one vote more for what was written before; empty without any vote."""
        counts = np.bincount(self.code, votes[self.witness], minlength=len(self.wordings))
        ballot = dict(zip(self.wordings, counts.tolist(), strict=True))
        if before:
            ballot[before] = ballot.get(before, 0.0) + weight_before
        best = max(ballot, key=ballot.get, default="")
        return best if best and ballot[best] > 0 else ""


class Writer:
    """Writes answers from the votes of witnesses.

    Args:
        answers: what each witness answered, pattern answers first.
        trained: how many of them, at the end, are training answers; they alone tell packets and usage.
    """

    def __init__(self, answers: Sequence[Answer], trained: int) -> None:
        self.trained = np.arange(len(answers)) >= len(answers) - trained
        rows: dict[str, list[tuple[int, str, float | None]]] = {}
        for number, answer in enumerate(answers):
            for herb, (form, dose) in _forms(answer).items():
                rows.setdefault(herb, []).append((number, form, dose))
        self.herbs = {herb: _Said.of(found) for herb, found in rows.items()}
        self.words = {
            field: _Said.of([(n, word, None) for n, a in enumerate(answers) if (word := getattr(a, field))])
            for field in LABELS
        }
        for field in ("packets", "usage"):  # where most answers say nothing, nothing is said
            self.words[field] = _Said.of([(n, str(getattr(a, field) or ""), None) for n, a in enumerate(answers)])

    def write(self, herbs: Sequence[str], votes: np.ndarray, before: Answer | None, weight_before: float) -> Answer:
        """One answer.

        Args:
            herbs: base herbs of the prescription, the surest first.
            votes: how much each witness counts, shape (witnesses,).
            before: the previous answer of a follow-up visit, a witness with `weight_before`.
        """
        previous = _forms(before) if before else {}
        items = tuple(self._item(herb, votes, previous.get(herb), weight_before) for herb in herbs)
        trained = votes * self.trained
        packets, usage = self.words["packets"].elected(trained), self.words["usage"].elected(trained)
        labels = self._labels(votes, before, weight_before)
        return Answer(**labels, prescription=items, packets=int(packets) if packets else None, usage=usage)

    def _item(
        self, herb: str, votes: np.ndarray, before: tuple[str, float | None] | None, weight_before: float
    ) -> PrescriptionItem:
        """A herb in its most voted form with the weighted median of that form's doses."""
        said = self.herbs.get(herb, _Said.of([]))
        form = said.elected(votes, before[0] if before else "", weight_before) or herb
        mine = said.code == said.place(form)
        doses, weights = said.dose[mine], votes[said.witness[mine]]
        if before and before[0] == form and before[1]:
            doses, weights = np.append(doses, before[1]), np.append(weights, weight_before)
        return PrescriptionItem(herb=form, dose=_weighted_median(doses, weights))

    def _labels(self, votes: np.ndarray, before: Answer | None, weight_before: float) -> dict[str, str]:
        """The fields that are words, one after the other: who named the disease elected names the syndrome, and so on.

        Where the narrower circle leaves a field empty, the next wider one is asked.
        """
        words, circles = dict.fromkeys(LABELS, ""), [votes]
        for field in LABELS:
            said = self.words[field]
            for circle in reversed(circles):
                words[field] = said.elected(circle, getattr(before, field, ""), weight_before)
                if words[field]:
                    agree = said.witness[said.code == said.place(words[field])]
                    narrower = np.zeros_like(circle)
                    narrower[agree] = circle[agree]
                    circles += [narrower] if narrower.any() else []
                    break
        return words


def _forms(answer: Answer) -> dict[str, tuple[str, float | None]]:
    """Base herb -> the form written and its dose in g; a herb written twice counts with its first form."""
    forms: dict[str, tuple[str, float | None]] = {}
    for item in answer.prescription:
        known = resolve_herb(item.herb)
        forms.setdefault(base_herb(item.herb), (known.canonical if known else item.herb, dose_in_g(item)))
    return forms


def _weighted_median(doses: np.ndarray, weights: np.ndarray) -> float | None:
    """The lower weighted median: a dose that somebody gave; None where nobody gave one."""
    given = ~np.isnan(doses) & (weights > 0)
    doses, weights = doses[given], weights[given]
    if not len(doses):
        return None
    order = np.argsort(doses, kind="stable")
    heard = np.cumsum(weights[order])
    return float(doses[order][np.searchsorted(heard, heard[-1] / 2)])
