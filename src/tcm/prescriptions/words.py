"""Herbs in a run of Han characters: one name, a joint name, several names run together, or words before a name."""

import re
from collections.abc import Iterator
from functools import lru_cache

from tcm.knowledge import joint_herbs, resolve_herb

_LEAD = re.compile(
    "(?:(?:治[以宜]|方[用以取]|药[用取]|[处拟]方|处以|予以?|给予|给|拟用?|宜用?|选用|投以?|用药?|改?服|组[成方]|药物(?:组成)?|方药|中药|药味|具体|如下|[为以取入配伍合并另再加将把])+)"
)
_BETWEEN = re.compile("[和与及并或]")
ONE_WORD = re.compile("[冲吞捣擘劈炖研磨泡杵包另]$")
"""Handling in one character, which is handling only at the end of a name or after a dose."""
PROSE = re.compile(
    "^等$|^(?:[君臣佐使主辅]{1,2}|引经?)药$|证[属为候]|[气血阴阳脾肾肺肝心胃]虚|虚[证寒热]|加减|化裁|不变|同前|如[下上前]|患[者儿]|症状?|[证方法汤]$|脉|舌|苔|治|疼|痛|咳|热退|大便|小便|二便|睡眠|纳[可差]|本方|全方|功效|作用|益气|补气|健脾|疏肝|清热|活血"
    "|解表|化痰|祛风|燥湿|安神|养血|滋阴|温阳|理气|止[咳痛血]|[等诸]药|以上|注意|医师|医生|签名|日期|姓名|性别|年龄|科别|诊断|合计|处方|剂量|用量|用法|药[名品物]|单位|备注"
)
"""Words that no herb name holds; a name without dose that does is prose."""


@lru_cache(maxsize=65536)
def herbs_in(run: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """What a run of Han characters says.

    Returns:
        Words before the herbs, the herb names as written, and notes (handling in one character, alternatives).
    """
    if resolve_herb(run) or joint_herbs(run):
        return "", (run,), ()
    if trailing := ONE_WORD.search(run):
        before, names, notes = herbs_in(run[: trailing.start()])
        if names and all(resolve_herb(name) or joint_herbs(name) for name in names):
            return before, names, (*notes, trailing.group())
    if found := _several(run):
        names, alternatives = found
        return "", names, alternatives
    if (lead := _LEAD.match(run)) and lead.end() < len(run):
        for end in range(lead.end(), 0, -1):
            _, names, notes = herbs_in(run[end:]) if end < len(run) else ("", (), ())
            if names and all(resolve_herb(name) or joint_herbs(name) for name in names):
                return run[:end], names, notes
        if lead.end() >= 2 and len(run) - lead.end() >= 2 and not PROSE.search(run[lead.end() :]):
            return lead.group(), (run[lead.end() :],), ()
    if len(run) > 4 and not run.startswith("复方"):
        for start in range(2, len(run) - 1):
            if resolve_herb(run[start:]):
                return run[:start], (run[start:],), ()
    return "", (run,), ()


def only_lead(words: str) -> bool:
    """Whether words are such as come before herbs (方用, 予) and say nothing themselves."""
    return _LEAD.fullmatch(words) is not None


def _several(run: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Two or more known names that fill a run, with 和 or 或 between them or nothing; None where they do not."""
    if not 4 <= len(run) <= 24:
        return None
    best: list[tuple[tuple[str, ...], tuple[str, ...]] | None] = [None] * (len(run) + 1)
    best[0] = ((), ())
    for end in range(2, len(run) + 1):
        for start in range(max(0, end - 7), end - 1):
            before = best[start]
            joint = start and best[start] is None and _BETWEEN.fullmatch(run[start - 1]) and best[start - 1]
            before, or_else = (joint, run[start - 1] == "或") if joint else (before, False)
            if before is None or not resolve_herb(run[start:end]):
                continue
            names, notes = before
            new = (names, (*notes, run[start - 1 : end])) if or_else else ((*names, run[start:end]), notes)
            if best[end] is None or len(new[0]) < len(best[end][0]):
                best[end] = new
    return best[-1]


@lru_cache(maxsize=65536)
def herb_like(run: str) -> bool:
    """Whether a run of Han characters holds a herb of the tables."""
    return any(resolve_herb(name) or joint_herbs(name) for name in herbs_in(run)[1])


def beginnings(run: str) -> Iterator[str]:
    """What a run of Han characters begins with, of two characters and more."""
    return (run[:end] for end in range(2, len(run) + 1))


@lru_cache(maxsize=65536)
def is_herb(run: str) -> bool:
    """Whether a run of Han characters is the name of one herb of the tables, and nothing else."""
    return len(run) <= 12 and resolve_herb(run) is not None and not joint_herbs(run)
