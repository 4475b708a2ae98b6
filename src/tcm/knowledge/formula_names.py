"""Formula names: from a text such as 小柴胡汤合归脾汤加减 to the formulas of the tables, and to the herbs they hold."""

import re
import unicodedata
from functools import cache, lru_cache

from tcm.knowledge.names import CO_USED_FORMS, MAX_NAME, resolve_herb
from tcm.knowledge.tables import formulas


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
