"""Herb names: from a herb as somebody wrote it to the one name that the tables use.

A herb has three levels: as written (法夏) → canonical, a herb or processed form of the tables (法半夏) → base (半夏).
Nothing is guessed: a name resolves when the tables hold it, or when it is a name they hold in other script or
characters, or with a word for processing, place or quality before it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tcm.cases import PrescriptionItem
from tcm.knowledge.script import simplified
from tcm.knowledge.tables import aliases, characters, forms, herbs, joint_names, prefixes
from tcm.knowledge.types import Herb

Level = Literal["canonical", "base"]

MAX_NAME = 30
"""Longer strings are no herb name; the limit keeps the work per name bounded."""

PROCESSES = tuple(
    "清炒 炒焦 炒黄 麸炒 米炒 土炒 砂炒 蜜炒 酒炒 醋炒 盐炒 姜炒 蜜炙 酒炙 醋炙 盐炙 姜炙 油炙 酒制 醋制 盐制 姜制 "
    "砂烫 酒蒸 醋蒸 水飞 "
    "炒 炙 蜜 酒 醋 盐 姜 制 煅 焦 煨 炮 烫 蒸 法 清 生 鲜 干 净 熟".split()
)
"""Words for processing before a name, longest first. Places (川, 怀, 广) are tried last: they may change the herb."""

SHAPES = tuple("配方颗粒 细粉 细末 饮片 咀片 颗粒 炭 片 粉 末 丝 段 块".split())
"""Words for processing or cut after a name, longest first."""

CO_USED_FORMS = (frozenset({"生地黄", "熟地黄"}), frozenset({"茯苓", "茯神"}))
"""Forms of one base herb that classic formulas give together on purpose, as 百合固金汤 and 安神定志丸 do."""

GRAMS = {"g": 1.0, "mg": 0.001, "kg": 1000.0, "钱": 3.0, "两": 30.0, "分": 0.3, "斤": 500.0}
"""Grams of a unit. Source: with 1 斤 = 16 两 = 500 g, as in pharmacies until China went metric in 1979, 钱 = 3.125 g,
两 = 31.25 g and 分 = 0.3125 g; formula textbooks (方剂学) round them to 3, 30 and 0.3 g, and so do
we. 公分 and 公克 are other words for g."""

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


def _spellings(name: str) -> Iterator[str]:
    """Other ways to write a name, likeliest first: simplified script, then standard characters, one or all."""
    plain = simplified(name)
    if plain != name:
        yield plain
    standard = characters()
    for at, written in enumerate(plain):
        for character in standard.get(written, ()):
            yield plain[:at] + character + plain[at + 1 :]
    yield "".join(standard.get(written, (written,))[0] for written in plain)


def _without_prefix(name: str) -> str | None:
    """The herb of a name that begins with a word for its place or quality (怀, 杭, 大 …); None where none remains."""
    for end in range(min(3, len(name) - 1), 0, -1):
        if name[:end] in prefixes() and len(name) - end > 1 and (found := _without_process(name[end:], 2)):
            return found
    return None


def _canonical(name: str) -> str | None:
    """The canonical name by all rules: as written, as others write it, then without place or quality."""
    if found := _without_process(name, 2):
        return found
    spellings = tuple(_spellings(name))
    tries = (*(_without_process(other, 2) for other in spellings), *map(_without_prefix, (name, *spellings)))
    return next((known for known in tries if known), None)


@lru_cache(maxsize=65536)
def resolve_herb(name: str) -> HerbName | None:
    """Resolve a herb name as written; None where the tables do not know it.

    Spaces and full-width letters do not matter. A bracket is read as processing where that gives a known form, so
    附子（制） is 制附子; a known name in a bracket says what is really given, so 犀角（水牛角） is 水牛角. A name that
    the tables lack is tried in simplified script, with standard characters (勾藤 is 钩藤), and without its place.

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
    tries = (*(_known(part + outer) for part in inner), *map(_known, inner))
    found = next((known for known in tries if known), None) or _canonical(outer)
    return HerbName(name, found, herb_info(found).base) if found else None


def herb_set(names: Iterable[str], level: Level) -> frozenset[str]:
    """Herb names brought to one level, duplicates gone.

    Args:
        names: names as written, e.g. ``丹皮`` or ``麸炒枳壳``.
        level: ``canonical`` or ``base``.

    Returns:
        The set; unknown names are kept as written without white space.
    """
    return frozenset(filter(None, [herb_at(name, level) for name in names]))


def herb_at(name: str, level: Level) -> str:
    """One herb name brought to one level; an unknown name without its white space."""
    resolved = resolve_herb(name)
    return getattr(resolved, level) if resolved else "".join(name.split())


@lru_cache(maxsize=4096)
def joint_herbs(name: str) -> tuple[str, ...]:
    """The herbs of a joint name (合写, 并开药名) such as 焦三仙 or 炒谷麦芽; none where it is no joint name.

    Joint names stand in a table; a word for processing before one belongs to each of its herbs. Two herbs written with
    one ending (青陈皮) are read by rule only where both are names of the tables, and the whole is none.

    Source:
        `herb_joint_names.tsv`; the rules are ours.
    """
    name = simplified(re.sub(r"\s", "", name))
    for word in ("", *PROCESSES):
        if name.startswith(word) and (herbs := joint_names().get(name[len(word) :])):
            return tuple(word + herb if word and resolve_herb(word + herb) else herb for herb in herbs)
    if name.endswith("炭") and (herbs := joint_names().get(name[:-1])):
        return tuple(herb + "炭" for herb in herbs)
    if not 3 <= len(name) <= 5 or resolve_herb(name):
        return ()
    start = next((len(word) for word in PROCESSES if name.startswith(word) and len(name) - len(word) >= 3), 0)
    for begin in dict.fromkeys((0, start)):
        pair = tuple(name[begin + i] + name[begin + 2 :] for i in (0, 1))
        bases = {known and herb_info(known).base for known in map(_known, pair)}
        if len(bases) == 2 and None not in bases:
            return tuple(name[:begin] + herb for herb in pair)
    return ()


@lru_cache(maxsize=65536)
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
