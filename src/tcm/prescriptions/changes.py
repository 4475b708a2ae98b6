"""A prescription written as a change of the previous one (上方去柴胡，加枳壳10g): found, and carried out.

Verbs: 去 减 删 停 - take a herb out; 加 增 添 + put one in; 加至 增至 减至 改为 before a dose set it (30g改60g, too);
易 改 换 代 between two herbs put the second in the place of the first (以甲易乙: the first in the place of the
second), and 改 before a herb with a dose sets it. A verb holds until the next. A herb that is given again with a dose
keeps its place and takes the dose; what is added takes the place of the same form of a herb alone.
"""

import re
from collections.abc import Sequence

from tcm.cases import PrescriptionItem
from tcm.knowledge import resolve_herb
from tcm.knowledge.names import herb_at
from tcm.prescriptions.drafts import Draft
from tcm.prescriptions.items import ItemReader
from tcm.prescriptions.tokens import HAN, HAN_DOSE, NAMED_DOSE, PACKET_COUNT, REST, Token
from tcm.prescriptions.words import beginnings, herb_like, is_herb
from tcm.prescriptions.writing import write_dose

_WHICH = "(?:[上前原首]次?|上一?诊|初诊|[一二三四五六七八九]诊|原处|之前)[处药]?方|[上前原]药|[上前原]法|处方|药方"
_PREVIOUS = re.compile(
    r"\s{0,9}(?:效不更方|守方|守法|药?同[前上]|照前|照旧|续[服进]前药"
    rf"|(?:[守宗遵按照仍继续予拟用服以就在将于]|[仍继续]以|[仍继续][予用服进守投]|继[续]){{0,3}}"
    rf"(?:(?:{_WHICH})(?:药物?)?(?:均?(?:同[前上]|不变|如前|照旧))?(?:的?基础上)?)(?<!^处方)(?<!^药方))"
    r"(?:续[服进]|[继再][服进])?(?P<freely>(?:随[症证])?(?:加减|出入|化裁|加味))?[之中内里的,、;:。\s]{0,3}"
)
_LATER = re.compile(
    rf"[。;,:、\n\s](?={_PREVIOUS.pattern.replace('?P<freely>', '?:')}"
    rf"(?:[去加减增改易撤添停将]|[+-]\s?[{HAN}]|(?P<packets>[再续继连]?[进服]?(?:{PACKET_COUNT})\s?[剂付帖副])))"
)
_ANY_DOSE = re.compile(rf"[0-9]|{HAN_DOSE}")
_SIGNED = re.compile(rf"[+-](?=\s?[{HAN}]{{2}})")
_AMOUNT = r"[0-9]{1,3}(?:\.[0-9]{1,2})?\s?[g克]?"
_BRACKETS = re.compile(r"\([^()]{0,60}\)")
_SETS = re.compile(
    rf"[{HAN}](?<![可渐])(?:[由从]?{_AMOUNT}\s?)?(?:[加增减改调升降]量?[至为到]|[加减]量|改(?=[0-9])){_AMOUNT}"
)
_REST = re.compile(REST)
_LABEL = re.compile(r"\s{0,9}(?:处方|方药|用药|治疗|[一二三四五六七八九复]诊)\s?[:,]\s{0,3}")
_BEGINS_WITH_VERB = re.compile(
    rf"\s{{0,9}}(?:[再酌并]?加|去|减|[以用](?=[{HAN}0-9g]{{2,12}}[易代换])|将(?=[{HAN}]{{2,8}}[改增减加易换]))"
    rf"(?P<name>[{HAN}]{{2,8}})"
)


def start_of_change(half: str) -> tuple[int, int, bool]:
    """Where a text names a previous prescription: at its start, or later before any dose if a verb or packets follow.

    Returns:
        Start and end of the words for the previous prescription, 0 and 0 where there are none; whether it is only said
        that it was changed (加减), not how.
    """
    label = _LABEL.match(half)
    start = label.end() if label and _PREVIOUS.match(half, label.end()) else 0
    for match in _LATER.finditer(half):
        if NAMED_DOSE.search(half, 0, match.end()) or (
            match["packets"] and (_PREVIOUS.match(half, start) or _ANY_DOSE.search(half, 0, match.end()))
        ):
            break
        start = match.end()
    end, freely = start, False
    while (match := _PREVIOUS.match(half, end)) and match.end() > end:
        if re.match(r"(?:处方|药方)", match.group().strip()):
            break
        end, freely = match.end(), freely or bool(match["freely"])
    return (start, end, freely) if end > start else (0, 0, False)


def is_change(half: str) -> bool:
    """Whether a text that names no previous prescription is a change of one all the same.

    It opens with 加, 去 or 减 and a herb of the tables, says what a dose becomes (黄芪30g改60g, 黄芪加至60g), or that
    all else stays (余药同前).
    """
    said = _BRACKETS.sub("", half)
    return _begins_with_verb(half) or _SETS.search(said) is not None or _REST.search(said) is not None


def signs_as_verbs(half: str) -> str:
    """A change whose + and - before names (上方-当归+丹参15g) are the verbs that they stand for."""
    return _SIGNED.sub(lambda sign: "加" if sign.group() == "+" else "减", half)


def _begins_with_verb(half: str) -> bool:
    match = _BEGINS_WITH_VERB.match(half)
    if match is None or resolve_herb(re.match(rf"[{HAN}]*", half.lstrip()).group()):
        return False
    return any(map(herb_like, beginnings(match["name"])))


class ChangeReader(ItemReader):
    """Collects herbs, each with what a verb does to it: `remove`, `add`, `set` or nothing."""

    def _word(self, word: Token, following: Token | None, first: int) -> int:
        return self._verb(word, following, first) if word.kind == "verb" else super()._word(word, following, first)

    def _verb(self, word: Token, following: Token | None, first: int) -> int:
        """A word of change: what it does to the herb before it in the piece, or to those that follow."""
        m, last = word.match, self.drafts[-1] if len(self.drafts) > first else None
        number = following is not None and following.kind in ("dose", "han")
        handled = following is not None and following.kind == "handle"
        if last and number and last.dose is not None and (m["to"] or m["upto"] or m["swap"]):
            last.dose = last.high = None  # 黄芪30g改60g: what it was
        if m["vague"] or (number and last and last.dose is None and (m["into"] or m["out"])):
            name = self.drafts.pop().herb if last and last.dose is None else ""
            self.unread.append(name + word.raw + following.raw * number if number else name + word.raw)
            return int(number)  # 减半, 加10g: by how much, not to how much
        self._each = self._each or word.half.startswith("均")
        if m["to"] or m["upto"] or (m["swap"] and (number or (handled and last))):
            if last:
                last.verb = "set"
        elif m["out"] or m["into"]:
            self.verb = "remove" if m["out"] else "add"
        elif m["becomes"] or (m["swap"] and last and last.dose is None and not self._instead):
            if last:
                last.verb = "remove"
            self.verb = "add"
        elif m["swap"]:
            if last:
                last.verb = "add"
            self.verb = "swap"
        return 0

    def _name(self, word: Token, following: Token | None, first: int) -> int:
        """A name, without the 由 and 从 of 黄芪由30g增至60g and 由黄芪30g增至60g."""
        for cut in (word.half.rstrip("由从"), word.half.lstrip("由从")):
            if cut != word.half and is_herb(cut):
                at = word.half.index(cut)
                word = word._replace(raw=word.raw[at : at + len(cut)], half=cut)
        return super()._name(word, following, first)


def changed(
    previous: Sequence[PrescriptionItem], drafts: Sequence[Draft]
) -> tuple[list[tuple[PrescriptionItem, str]], list[str]]:
    """Carry out changes.

    Returns:
        The herbs with the guess of each, and what could not be carried out: herbs to take out that are not there.
    """
    items = [(item, "") for item in previous]
    failed = []
    for draft in drafts:
        level = "canonical" if draft.verb == "add" else "base"  # 加茯神 leaves 茯苓, and 加熟地 leaves 生地
        meant = herb_at(draft.herb, level)
        at = next((i for i, (item, _) in enumerate(items) if herb_at(item.herb, level) == meant), None)
        sets = draft.verb == "swap" and at is not None and draft.dose is not None  # 改黄芪60g
        if draft.taken_out and not sets and (at is not None or draft.dose is None):
            if at is None or draft.dose not in (None, items[at][0].dose):  # 减黄芪10g: by 10 g, or all of it?
                failed.append(f"去{draft.herb}{write_dose(draft.item())}")
            else:
                del items[at]
        elif at is None:
            items.append((draft.item(), draft.guess))
        elif draft.dose is not None:
            new = draft.item()
            items[at] = (new.model_copy(update={"note": new.note or items[at][0].note}), draft.guess)
        elif draft.notes:  # 石决明改为先煎
            items[at] = (items[at][0].model_copy(update={"note": draft.item().note}), items[at][1])
    return items, failed
