"""Herbs while they are read: which of them wait for a dose, and what happens when it comes or cannot be."""

from dataclasses import dataclass, field
from functools import lru_cache

from tcm.cases import PrescriptionItem
from tcm.knowledge import GRAMS, dose_in_g, herb_info, resolve_herb

UNREASONABLE = 10
"""A dose above so many times the largest usual one is marked: our choice, far above what physicians give on purpose."""

OUT_OF_REASON = "dose out of reason"
"""How the guess of such a dose begins."""


@dataclass(slots=True)
class Draft:
    """A herb while it is read."""

    herb: str
    dose: float | None = None
    high: float | None = None
    unit: str = "g"
    notes: list[str] = field(default_factory=list)
    guess: str = ""
    group: int = 0  # herbs of one joint name share it
    joint: str = ""
    verb: str = ""

    @property
    def taken_out(self) -> bool:
        """Whether a verb takes the herb out, or puts another in its place."""
        return self.verb in ("remove", "swap")

    def item(self) -> PrescriptionItem:
        """The herb as a record."""
        return _item(self.herb, self.dose, self.high, self.unit, "，".join(self.notes))


@lru_cache(maxsize=50_000)
def _item(herb: str, dose: float | None, high: float | None, unit: str, note: str) -> PrescriptionItem:
    """One and the same record for what is written alike: 柴胡10g stands in thousands of prescriptions."""
    return PrescriptionItem(herb=herb, dose=dose, dose_high=high, unit=unit, note=note)


def out_of_reason(draft: Draft) -> str:
    """What is wrong with a dose that no physician gives on purpose; "" where nothing is."""
    if draft.dose is None or draft.unit not in GRAMS or draft.dose * GRAMS[draft.unit] <= 30:
        return ""  # saves the look-up for nearly all
    known = resolve_herb(draft.herb)
    most = herb_info(known.canonical).dose_max_g if known else None
    grams = dose_in_g(draft.item())
    return f"{OUT_OF_REASON}: usually at most {most:g} g" if most and grams > UNREASONABLE * most else ""


class Drafts:
    """The herbs read so far, the last of which may wait for their dose, and what could not be read."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.unread: list[str] = []
        self.verb = ""  # what happens to the next herbs, in a change of a previous prescription
        self._each = False  # 各 was read: the next dose belongs to all that wait
        self._dosed = False  # the last herb of this piece has its dose

    def _undosed(self) -> bool:
        return bool(self.drafts) and self.drafts[-1].dose is None

    def _waiting(self, each: bool) -> list[Draft]:
        """The herbs that the next dose belongs to: the last one, after 各 all without dose directly before."""
        found: list[Draft] = []
        for draft in reversed(self.drafts):
            if draft.dose is not None or (draft.taken_out and draft.verb != self.verb):
                break
            if found and not each and not (draft.group == found[0].group and draft.joint):
                break
            found.append(draft)
        return found[::-1]

    def _refuse(self, text: str) -> None:
        """A dose that cannot be: named, and the herb marked."""
        if self._undosed():
            self.drafts[-1].guess = f"dose not read: {text.strip()}"
        self.unread.append(text)

    def _give(self, low: float, high: float | None, unit: str, guess: str, text: str) -> None:
        """Give a dose to the herbs that wait for one; a joint name without 各 shares it equally (our choice)."""
        waiting = self._waiting(self._each)
        if not waiting:
            self.unread.append(text)
            return
        if low <= 0 or high == 0:
            self._refuse(text)
            return
        shared = len(waiting) if waiting[-1].joint and not self._each else 1
        for draft in waiting:
            draft.dose, draft.high, draft.unit = low / shared, high / shared if high else None, unit
            draft.guess = guess or (f"{draft.joint} {text.strip()} shared equally" if shared > 1 else "")
        for draft in waiting:
            draft.guess = draft.guess or out_of_reason(draft)
        self._each, self._dosed = False, True
