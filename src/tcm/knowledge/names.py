"""Names: from a herb or formula as somebody wrote it to the one name that the tables use.

A herb has three levels: as written (法夏) → canonical, a herb or processed form of the tables (法半夏) → base (半夏).
Nothing is guessed: a name resolves when the tables hold it, or when it is a name they hold plus a word for processing.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from tcm.cases import PrescriptionItem

from .tables import aliases, forms, formulas, herbs
from .types import Herb

MAX_NAME = 30
"""Longer strings are no herb name; the limit keeps the work per name bounded."""

PROCESSES = (
    "清炒",
    "炒焦",
    "炒黄",
    "麸炒",
    "米炒",
    "土炒",
    "砂炒",
    "蜜炒",
    "酒炒",
    "醋炒",
    "盐炒",
    "姜炒",
    "蜜炙",
    "酒炙",
    "醋炙",
    "盐炙",
    "姜炙",
    "油炙",
    "酒制",
    "醋制",
    "盐制",
    "姜制",
    "砂烫",
    "酒蒸",
    "醋蒸",
    "水飞",
    "炒",
    "炙",
    "蜜",
    "酒",
    "醋",
    "盐",
    "姜",
    "制",
    "煅",
    "焦",
    "煨",
    "炮",
    "烫",
    "蒸",
    "法",
    "清",
    "生",
    "鲜",
    "干",
    "净",
    "熟",
)
"""Words for processing before a name, longest first. Names of places (川, 怀, 广) change the herb: alias table only."""

SHAPES = ("饮片", "咀片", "炭", "片", "粉", "末", "丝", "段", "块")
"""Words for processing or cut after a name."""

CO_USED_FORMS = (frozenset({"生地黄", "熟地黄"}), frozenset({"茯苓", "茯神"}))
"""Forms of one base herb that classic formulas give together on purpose, as 百合固金汤 and 安神定志丸 do."""

GRAMS = {"g": 1.0, "mg": 0.001, "kg": 1000.0, "钱": 3.0, "两": 30.0, "分": 0.3}
"""Grams of a unit. Source: with 1 斤 = 16 两 = 500 g, as in pharmacies until China went metric in 1979, 钱 = 3.125 g,
两 = 31.25 g and 分 = 0.3125 g; formula textbooks (方剂学) round them to 3, 30 and 0.3 g, and so do we."""

SAME_PIECE = (frozenset("枚个颗只粒"), frozenset("条根支茎"), frozenset("片张"))
"""Counted units that name the same piece of one herb (大枣 5枚 = 5个): our choice, the tables give one unit a herb."""


@dataclass(frozen=True)
class HerbName:
    """A resolved herb name on its three levels."""

    written: str
    canonical: str
    base: str


def _known(name: str) -> str | None:
    """The canonical name of a herb, form or alias that stands in the tables as such."""
    name = aliases().get(name, name)
    return name if name in herbs() or name in forms() else None


def _without_process(name: str, depth: int) -> str | None:
    """Strip words for processing, at most `depth` of them, until a known name remains."""
    found = _known(name)
    if found or depth == 0:
        return found
    for word in PROCESSES:
        if (
            name.startswith(word)
            and len(name) > len(word)
            and (found := _without_process(name[len(word) :], depth - 1))
        ):
            return found
    for word in SHAPES:
        if name.endswith(word) and len(name) > len(word) and (found := _without_process(name[: -len(word)], depth - 1)):
            return found
    return None


@lru_cache(maxsize=65536)
def resolve_herb(name: str) -> HerbName | None:
    """Resolve a herb name as written; None where the tables do not know it.

    Spaces and full-width letters do not matter. A bracket is read as processing where that gives a known form, so
    附子（制） is 制附子; a known name in a bracket says what is really given, so 犀角（水牛角） is 水牛角.

    Args:
        name: as written, e.g. ``炒 枳壳``, ``生黄芪`` or ``半夏（姜制）``.

    Source:
        Our rules. A known name always goes before stripping (生姜, 干姜 and 炮姜 are herbs of their own).
    """
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", name))
    if not text or len(text) > MAX_NAME:
        return None
    outer = re.sub(r"\([^()]*\)?", "", text).strip("-·*.、,;:。")
    inner = [part for part in re.findall(r"\(([^()]*)\)?", text) if part]
    tries = [*(_known(part + outer) for part in inner), *map(_known, inner), _without_process(outer, 2)]
    found = next((known for known in tries if known), None)
    return HerbName(name, found, herb_info(found).base) if found else None


def herb_info(name: str) -> Herb:
    """What the tables say of a herb or processed form, by any of its names; a form inherits from its base herb.

    Raises:
        KeyError: where the name does not resolve.
    """
    canonical = _known(name)
    if canonical is None:
        resolved = resolve_herb(name)
        if resolved is None:
            raise KeyError(f"no herb {name!r} in the tables; ask resolve_herb first")
        canonical = resolved.canonical
    return forms().get(canonical) or herbs()[canonical]


def dose_in_g(item: PrescriptionItem) -> float | None:
    """The dose of one packet in g; None where there is none or its unit has no weight (ml, or a piece the tables lack).

    A range counts as its mean. Units: `GRAMS`, and pieces by `piece_g` of the herb table.
    """
    if item.dose is None:
        return None
    amount = item.dose if item.dose_high is None else (item.dose + item.dose_high) / 2
    if item.unit in GRAMS:
        return amount * GRAMS[item.unit]
    resolved = resolve_herb(item.herb)
    herb = herb_info(resolved.canonical) if resolved else None
    if herb is None or herb.piece_g is None:
        return None
    same = item.unit == herb.piece or any({item.unit, herb.piece} <= units for units in SAME_PIECE)
    return amount * herb.piece_g if same else None


@cache
def _formula_names() -> dict[str, str]:
    """Every name of every formula → its canonical name; a formula's own name goes before another's alias."""
    names = {alias: formula.name for formula in formulas().values() for alias in formula.aliases}
    return names | {name: name for name in formulas()}


_CHANGED = re.compile(r"(?:加减|加味|化裁|随[证症]|为主|之意|等)+")
_JOINED = re.compile(r"[合或和与及加]|[\s、,;/+()。.]+")
_PART_END = re.compile(r"(?<=[汤散丸饮煎丹膏方剂减味裁])[合或和与及加]|[\s、,;/+()。.]")


def _formula_at(text: str, start: int) -> int:
    """Where the longest known formula name ends that begins here and ends where a name can end; `start` if none."""
    for end in range(min(len(text), start + MAX_NAME), start, -1):
        if text[start:end] in _formula_names() and (
            end == len(text) or _JOINED.match(text, end) or _CHANGED.match(text, end)
        ):
            return end
    return start


@lru_cache(maxsize=65536)
def resolve_formula(text: str) -> tuple[str, ...]:
    """Formula names in a text such as 小柴胡汤合归脾汤加减, in their order, each once.

    The longest known name is taken that ends where a name can end: 保和丸 is not split at 和, nor 加味逍遥散 at 加味.
    A part that is no known formula is returned as written (`formulas()` tells), a herb added to a formula is left out.

    Source:
        Our rules.
    """
    text = unicodedata.normalize("NFKC", text)[:200]
    found: list[str] = []
    start = 0
    while start < len(text):
        end = _formula_at(text, start)
        if end > start:
            found.append(_formula_names()[text[start:end]])
        elif filler := _CHANGED.match(text, start) or _JOINED.match(text, start):
            end = filler.end()
        else:
            gap = _PART_END.search(text, start + 1)
            end = gap.start() if gap else len(text)
            part = _CHANGED.split(text[start:end])[0]
            if part and not resolve_herb(part):
                found.append(part)
        start = end
    return tuple(dict.fromkeys(found))


def compose(formula_text: str) -> dict[str, float]:
    """Herbs of a formula or of several combined: herb → g for one packet.

    Combined formulas give the union. A base herb that several of them hold is taken once, in the form and dose of the
    larger dose; forms given together on purpose (`CO_USED_FORMS`) or within one formula stay side by side. Alternatives
    (甲或乙) give the first. Unknown parts give nothing; compare with `resolve_formula` where that matters.

    Source:
        Our choice, because adding up doses would leave the usual range for shared herbs such as 甘草.
    """
    taken: dict[str, float] = {}
    for name in resolve_formula(re.split("(?<=.[汤散丸饮煎丹膏方剂])或", formula_text)[0]):
        before = tuple(taken)
        for herb, dose in formulas()[name].composition if name in formulas() else ():
            rival = next((other for other in before if other in taken and _same_herb(herb, other)), None)
            if rival is None or dose > taken[rival]:
                taken.pop(rival, None)
                taken[herb] = dose
    return taken


def _same_herb(one: str, other: str) -> bool:
    """Whether two names mean the same base herb and are not given together on purpose."""
    a, b = resolve_herb(one), resolve_herb(other)
    if a is None or b is None:
        return one == other
    return a.base == b.base and frozenset({a.canonical, b.canonical}) not in CO_USED_FORMS
