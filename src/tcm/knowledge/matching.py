"""How well each disease-syndrome pattern of the tables explains what was found in a patient.

This is what lets rules judge a diagnosis without the gold answer: of all patterns, does the answered one explain the
findings about as well as the best one does?
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from tcm.cases import Case
from tcm.knowledge import Pattern, patterns, symptom_synonyms

GONE_BEFORE = ("已无", "不再")
ABSENT_BEFORE = ("无", "未见", "否认", "没有", "不伴", "未诉", *GONE_BEFORE)
ABSENT_AFTER = ("已除", "消失", "已愈", "已止", "已无")
KEY_WEIGHT = 2.0  # a key symptom counts twice as much as another one; our choice, as in the tables key ones come first
PULSE = "脉"
_PULSE = re.compile(r"脉[^，。；、,;]*")


def findings_text(case: Case) -> str:
    """Everything found at this visit and before: a follow-up often names only what has changed."""
    return "。".join(visit.findings for visit in (*case.earlier_visits, case.visit))


@cache
def _wordings(symptom: str) -> tuple[str, ...]:
    return (symptom, *symptom_synonyms().get(symptom, ()))


def _is_there(text: str, start: int, end: int) -> bool:
    return not text[max(0, start - 2) : start].endswith(ABSENT_BEFORE) and not text.startswith(ABSENT_AFTER, end)


def _places(text: str, symptom: str) -> Iterator[tuple[int, int]]:
    """Where a text names a symptom in any wording: start and end."""
    for wording in _wordings(symptom):
        start = text.find(wording)
        while start >= 0:
            yield start, start + len(wording)
            start = text.find(wording, start + 1)


def mentions(text: str, symptom: str) -> bool:
    """Whether a text says, in any wording, that a symptom is there; 无腹痛 and 腹痛消失 do not mention 腹痛."""
    return any(_is_there(text, start, end) for start, end in _places(text, symptom))


def resolved(text: str, symptom: str) -> bool:
    """Whether a text says, in any wording, that a symptom has gone: 失眠已除, 已无失眠; 无失眠 does not say so."""
    return any(
        text[:start].endswith(GONE_BEFORE) or text.startswith(ABSENT_AFTER, end)
        for start, end in _places(text, symptom)
    )


@dataclass(frozen=True)
class _Index:
    """Patterns turned over, so that a text is read once rather than once a pattern.

    Args:
        signs: wording -> signs that it means; a pulse is written as ``脉弦``.
        lengths: lengths of the wordings.
        patterns: sign -> (number of the pattern, weight of the sign in it).
        sizes: per pattern, the root of the sum of all its weights.
    """

    signs: dict[str, list[str]]
    lengths: tuple[int, ...]
    patterns: dict[str, list[tuple[int, float]]]
    sizes: tuple[float, ...]


def _signs_of(pattern: Pattern) -> dict[str, float]:
    """Sign -> its weight before rarity."""
    found = dict.fromkeys((*pattern.other_symptoms, *pattern.tongue), 1.0)
    found |= dict.fromkeys((PULSE + sign.removeprefix(PULSE) for sign in pattern.pulse), 1.0)
    return found | dict.fromkeys(pattern.key_symptoms, KEY_WEIGHT)


@cache
def _index() -> _Index:
    rows = [_signs_of(p) for p in patterns()]
    counts = Counter(sign for row in rows for sign in row)
    rarity = {sign: math.log(1 + len(rows) / n) for sign, n in counts.items()}  # 神疲 says less than 骨蒸
    by_sign: dict[str, list[tuple[int, float]]] = {}
    signs: dict[str, list[str]] = {}
    for number, row in enumerate(rows):
        for sign, weight in row.items():
            by_sign.setdefault(sign, []).append((number, weight * rarity[sign]))
    for sign in by_sign:
        for wording in _wordings(sign):
            signs.setdefault(wording, []).append(sign)
    sizes = tuple(math.sqrt(sum(w * rarity[s] for s, w in row.items())) for row in rows)
    return _Index(signs, tuple(sorted({len(w) for w in signs})), by_sign, sizes)


@lru_cache(maxsize=8192)
def signs_found(text: str) -> frozenset[str]:
    """Signs of the tables that a text of findings says are there, in any wording; each pulse quality as ``脉…``."""
    index, found = _index(), set()
    for start in range(len(text)):
        for length in index.lengths:
            named = index.signs.get(text[start : start + length])
            if named and _is_there(text, start, start + length):
                found.update(named)
    for pulse in _PULSE.findall(text):
        found.update(PULSE + quality for quality in pulse if PULSE + quality in index.patterns)
    return frozenset(found)


@lru_cache(maxsize=8192)
def fits(text: str, sex: str, age_group: str) -> tuple[float, ...]:
    """How well each pattern explains a text of findings, relative to the pattern that does it best.

    Of a pattern's signs the ones found are added up, rare signs counting more, and divided by the root of the sum over
    all its signs, so that neither a long nor a short list of signs wins by its length (our choice, as in cosine
    similarity of tf-idf vectors).

    Args:
        text: from `findings_text`.
        sex: of the patient; patterns of the other sex get 0.
        age_group: from `age_group`; patterns of the other age group get 0.

    Returns:
        One value per entry of `knowledge.patterns()`, 0..1; all 0 where nothing is found.
    """
    index = _index()
    raw = [0.0] * len(index.sizes)
    for sign in signs_found(text):
        for number, weight in index.patterns.get(sign, ()):
            raw[number] += weight
    raw = [
        value / size if value and concerns(pattern, sex, age_group) else 0.0
        for value, size, pattern in zip(raw, index.sizes, patterns(), strict=True)
    ]
    best = max(raw, default=0.0)
    return tuple(value / best if best else 0.0 for value in raw)


def age_group(age: float | None) -> str:
    """``小儿`` below 14 years, ``成人`` from there on, empty where unknown."""
    return "" if age is None else "小儿" if age < 14 else "成人"


def concerns(pattern: Pattern, sex: str, age_group: str) -> bool:
    """Whether a pattern can be a patient's, by sex and age as far as both are known."""
    if pattern.sex and sex and pattern.sex != sex:
        return False
    return not pattern.age_group or not age_group or (pattern.age_group == "小儿") == (age_group == "小儿")


def _plain(name: str) -> str:
    return re.sub(r"[\s（(].*$", "", name.strip()).removesuffix("型").removesuffix("证").removesuffix("病")


@cache
def _by_name() -> tuple[dict[str, list[int]], dict[str, set[str]]]:
    """Syndrome name or alias -> numbers of its patterns, and disease name or alias -> diseases."""
    syndromes: dict[str, list[int]] = {}
    diseases: dict[str, set[str]] = {}
    for number, pattern in enumerate(patterns()):
        for name in {_plain(n) for n in (pattern.syndrome, *pattern.syndrome_aliases)}:
            syndromes.setdefault(name, []).append(number)
        for name in (pattern.disease, *pattern.disease_aliases):
            diseases.setdefault(_plain(name), set()).add(pattern.disease)
    return syndromes, diseases


def dice(a: str, b: str) -> float:
    """Share of common characters, 2|∩| / (|a| + |b|) with repeats counted; 0..1."""
    common = sum((Counter(a) & Counter(b)).values())
    return 2 * common / (len(a) + len(b)) if a and b else 0.0


@dataclass(frozen=True)
class Answered:
    """Patterns that an answer names.

    Args:
        numbers: places in `knowledge.patterns()` of the patterns with that syndrome; where the named disease has the
            syndrome, those of the disease alone.
        alike: how alike the written and the known name of the syndrome are; 1 = same, at least 0.5.
        together: whether the disease goes with the syndrome in the tables.
    """

    numbers: tuple[int, ...] = ()
    alike: float = 0.0
    together: bool = False

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """The patterns themselves."""
        return tuple(patterns()[n] for n in self.numbers)


@lru_cache(maxsize=65536)
def answered(disease: str, syndrome: str, sex: str, age_group: str) -> Answered:
    """Look up the disease and syndrome of an answer, among the patterns that can be this patient's."""
    syndromes, diseases = _by_name()
    name, alike = _plain(syndrome), 1.0
    if name and name not in syndromes:
        alike, name = max((dice(name, known), known) for known in syndromes)
    if not name or alike < 0.5:
        return Answered()
    numbers = tuple(n for n in syndromes[name] if concerns(patterns()[n], sex, age_group))
    named = diseases.get(_plain(disease), set())
    together = tuple(n for n in numbers if patterns()[n].disease in named)
    return Answered(together or numbers, alike, bool(together))


@lru_cache(maxsize=65536)
def disease_patterns(disease: str) -> tuple[int, ...]:
    """Places in `knowledge.patterns()` of all patterns of a disease, by name or alias; empty where it is unknown."""
    named = _by_name()[1].get(_plain(disease), set())
    return tuple(n for n, p in enumerate(patterns()) if p.disease in named)
