"""Invented physicians: stable habits that no table holds, so that invented answers are no copy of the rule book.

A rule book explains little of real records (`metrics.hardness.REAL`: the formula of the best-fitting pattern, and the
best formula of all patterns, against the physician's). An invented physician has favourite herbs that
he adds to every prescription or for one finding, writes other herbs of the same kind than the book, treats some
patterns by another formula or by two combined (合方), cuts long formulas short and doses in his own way. His habits are
drawn once from a seed and are the same in all his cases; in each case he follows most of them.

A case does not say who wrote it, as records mostly do not. But each physician has his diseases, whose patients mostly
come to him: so habits are learned from training answers through similar cases, and as what all physicians share.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import NamedTuple

from tcm import knowledge
from tcm.invented import textbook
from tcm.knowledge import Herb, Modification, Pattern
from tcm.knowledge.matching import dice
from tcm.prescriptions.safety import kept_apart

# Our choice, so that the floors stand to each other about as on TCM-BEST4SDT (`metrics.hardness`).
FASHION, ALWAYS, LONGEST = 1, (1, 3), (7, 10)  # favourites of all, and of one; herbs that are left of a formula
FINDING_SHARE, INSTEAD_SHARE = 0.15, 0.2  # of the findings and herbs that a physician has a habit for
OTHER_SHARE, JOINED_SHARE = 0.5, 0.3  # of the patterns with another formula; with two combined
SOME, ALIKE = 40, 4  # the other one is from the most similar treatments of some
FOLLOWED, SPECIALIST = 0.8, 0.65  # of the habits in one case; of the patients who see the specialist of their disease
DOSE_FACTORS = (0.7, 0.85, 1.0, 1.0, 1.2, 1.5)
CUSTOMARY_G = (1, 2, 3, 5, 6, 9, 10, 12, 15, 18, 20, 24, 30, 60)
"""Doses that are written for adults; all occur in the formula table."""
KIND_ROWS = 12
"""The herb table goes by what herbs are used for, as textbooks do: so many rows on, a herb is of the same kind."""


@dataclass(frozen=True)
class Physician:
    """One physician's habits; without any he writes by the book.

    Args:
        specialty: diseases whose patients mostly come to him.
        always: herbs that he adds to every prescription.
        for_finding: finding -> herb that he adds for it.
        instead: herb of the book -> herb of the same kind that he writes instead.
        formulas: (disease, syndrome) -> his formula for it, perhaps two combined (甲合乙).
        dose_factors: herb -> his dose, relative to the book's.
        longest: so many herbs of a formula he keeps, the first ones.
    """

    specialty: frozenset[str] = frozenset()
    always: tuple[str, ...] = ()
    for_finding: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    formulas: Mapping[tuple[str, str], str] = field(default_factory=dict)
    dose_factors: Mapping[str, float] = field(default_factory=dict)
    longest: int = 99

    def today(self, rng: random.Random) -> "Physician":
        """The physician as he treats one patient: habits are not laws, some are forgotten."""
        return replace(
            self,
            always=tuple(herb for herb in self.always if rng.random() < FOLLOWED),
            for_finding={f: herb for f, herb in self.for_finding.items() if rng.random() < FOLLOWED},
            instead={herb: other for herb, other in self.instead.items() if rng.random() < FOLLOWED},
        )

    def compose(self, formula: str) -> dict[str, float]:
        """His version of a formula: herb -> g for one adult's packet."""
        book = knowledge.compose(formula)
        kept = dict(list(book.items())[: self.longest])
        return self._in_his_hand(kept) | {h: self._dose(h, _usual(h)) for h in self.always if not _there(h, kept)}

    def own(self, pattern: Pattern) -> Pattern:
        """A pattern as he treats it: with his formula alone, and the rules 加减 with his herbs and doses."""
        formula = self.formulas.get((pattern.disease, pattern.syndrome))
        if formula is None:
            return pattern
        share = 0.5 if pattern.age_group == "小儿" else 1.0  # such rules give doses of small children
        rules = tuple(
            Modification(
                rule.symptom,
                tuple(self._in_his_hand(dict(rule.add), share).items()),
                tuple(dict.fromkeys(name for herb in rule.remove for name in (herb, self.instead.get(herb, herb)))),
            )
            for rule in pattern.modifications
        )
        return replace(pattern, formulas=(formula,), modifications=rules)

    def additions(self, findings: Sequence[str]) -> list[Modification]:
        """What he adds for these findings, adult doses."""
        herbs = {f: self.for_finding[f] for f in findings if f in self.for_finding}
        return [Modification(f, ((herb, self._dose(herb, _usual(herb))),)) for f, herb in herbs.items()]

    def _in_his_hand(self, herbs: Mapping[str, float], share: float = 1.0) -> dict[str, float]:
        """Herbs and doses as he writes them; a herb is not replaced by one that is there already."""
        written: dict[str, float] = {}
        for herb, dose in herbs.items():
            other = self.instead.get(herb, herb)
            if other != herb and not _there(other, {*herbs, *written}):
                herb, dose = other, dose * _usual(other) / _usual(herb)
            written[herb] = self._dose(herb, dose, share)
        return written

    def _dose(self, herb: str, dose: float, share: float = 1.0) -> float:
        """His dose, within the herb's range (or a child's share of it)."""
        known = knowledge.herb_info(herb)
        if not self.dose_factors or known.dose_min_g is None:
            return dose
        high = known.dose_max_g * share
        low = min(1.2 * known.dose_min_g, high)  # a little above the lowest, for a child's share of it is rounded
        wanted = min(max(dose * self.dose_factors.get(herb, 1.0), low), high)
        return min((g for g in CUSTOMARY_G if low <= g <= high), key=lambda g: abs(g - wanted), default=wanted)


BY_THE_BOOK = Physician()


@cache
def staff(number: int, seed: int, patterns: int = 0) -> tuple[Physician, ...]:
    """So many physicians; the same arguments give the same ones.

    Every herb and formula that they write stands in the edition of the textbook: a tiny model that has read it knows
    the words.

    Args:
        number: 0 gives one who writes by the book.
        patterns: edition, see `textbook.edition`.
    """
    if not number:
        return (BY_THE_BOOK,)
    choice = _choice(textbook.edition(patterns))
    diseases = sorted({p.disease for p in choice.book.patterns})
    random.Random(f"specialties-{seed}").shuffle(diseases)
    fashion = random.Random(f"fashion-{seed}").sample(choice.harmless, FASHION)
    return tuple(
        _physician(random.Random(f"physician-{seed}-{k}"), choice, fashion, frozenset(diseases[k::number]))
        for k in range(number)
    )


def attending(physicians: Sequence[Physician], disease: str, rng: random.Random) -> Physician:
    """Who sees a patient: mostly the one whose specialty the disease is."""
    if len(physicians) > 1 and rng.random() >= SPECIALIST:
        return rng.choice(physicians)
    return next((p for p in physicians if disease in p.specialty), physicians[0])


class _Choice(NamedTuple):
    """What habits are drawn from.

    Args:
        harmless: herbs that anybody may get, each the only form of its base herb in the book.
        kinds: herb of the book -> harmless herbs of the same kind.
        mild: formulas without toxic herbs and without herbs that pregnancy restricts.
    """

    book: textbook.Textbook
    harmless: list[str]
    kinds: Mapping[str, list[str]]
    mild: list[str]


def _choice(book: textbook.Textbook) -> _Choice:
    forms, rows = Counter(herb.base for herb in book.herbs), {name: row for row, name in enumerate(knowledge.herbs())}
    harmless = {herb.name: rows[herb.base] for herb in book.herbs if _harmless(herb) and forms[herb.base] == 1}
    kinds = {
        herb.name: [name for name, row in harmless.items() if 0 < abs(row - rows[herb.base]) <= KIND_ROWS]
        for herb in book.herbs
    }
    known = {formula.name: [knowledge.herb_info(herb) for herb, _ in formula.composition] for formula in book.formulas}
    mild = [name for name, herbs in known.items() if not any(h.toxicity or h.pregnancy or h.routes for h in herbs)]
    return _Choice(book, list(harmless), kinds, mild)


def _physician(rng: random.Random, choice: _Choice, fashion: Sequence[str], specialty: frozenset[str]) -> Physician:
    book = choice.book
    findings = sorted({s for p in book.patterns for s in (*p.key_symptoms, *p.other_symptoms)})
    return Physician(
        specialty=specialty,
        always=tuple(dict.fromkeys([*fashion, *rng.sample(choice.harmless, rng.randint(*ALWAYS))])),
        for_finding={f: rng.choice(choice.harmless) for f in findings if rng.random() < FINDING_SHARE},
        instead={h: rng.choice(kind) for h, kind in choice.kinds.items() if kind and rng.random() < INSTEAD_SHARE},
        formulas={(p.disease, p.syndrome): _formula(p, choice, rng) for p in book.patterns},
        dose_factors={herb.name: rng.choice(DOSE_FACTORS) for herb in book.herbs},
        longest=rng.randint(*LONGEST),
    )


def _formula(pattern: Pattern, choice: _Choice, rng: random.Random) -> str:
    """His formula for a pattern: one of the book's for it or for a treatment alike, perhaps a second one with it."""
    rule_herbs = {herb for rule in pattern.modifications for herb, _ in rule.add}
    formula = pattern.formulas[0]
    if rng.random() < OTHER_SHARE:
        some = rng.sample(choice.book.patterns, min(len(choice.book.patterns), SOME))
        some.sort(key=lambda p: -dice(p.treatment_principle, pattern.treatment_principle))
        others = (p.formulas[0] for p in some if p is not pattern and _agree(rule_herbs, p.formulas[0]))
        formula = rng.choice([*pattern.formulas[1:], *islice(others, ALIKE)])
    if len(knowledge.resolve_formula(formula)) > 1 or rng.random() >= JOINED_SHARE:
        return formula
    herbs = {*knowledge.compose(formula), *rule_herbs}
    second = (f for f in rng.sample(choice.mild, len(choice.mild)) if f != formula and _agree(herbs, f))
    return "合".join((formula, *islice(second, 1)))


def _base(herb: str) -> str:
    return knowledge.herb_info(herb).base


def _there(herb: str, herbs: Iterable[str]) -> bool:
    return _base(herb) in {_base(other) for other in herbs}


@cache
def _usual(herb: str) -> float:
    """The middle of the range in whole g; 9 g, three 钱, where the tables give no range."""
    known = knowledge.herb_info(herb)
    return max(1.0, float(round((known.dose_min_g + known.dose_max_g) / 2))) if known.dose_min_g else 9.0


def _harmless(herb: Herb) -> bool:
    """A herb that anybody may get in any prescription: habits never make it unsafe."""
    restricted = herb.toxicity or herb.pregnancy or herb.routes or herb.dose_min_g is None
    return not restricted and herb.base not in kept_apart()


def _agree(herbs: Iterable[str], formula: str) -> bool:
    """Whether herbs and those of a formula may stand together: no incompatible pair, no herb in two forms."""
    names = {*herbs, *knowledge.compose(formula)}
    bases = {_base(name) for name in names}
    return len(bases) == len(names) and not any(kept_apart().get(base, frozenset()) & bases for base in bases)
