"""From the words of one prescription to its herbs: which dose belongs to which name, and what could not be read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tcm.cases import PrescriptionItem
from tcm.knowledge import GRAMS, dose_in_g, herb_info, joint_herbs, resolve_herb
from tcm.prescriptions.tokens import GRAM_WORDS, HAN_DOSE, NUMBER, UNIT, Token, han_dose, without_unit
from tcm.prescriptions.words import ONE_WORD, PROSE, herbs_in, only_lead

MAX_HERB_NAME = 12
"""Longest herb name in characters; herb tables need 7 (煅紫石英粉 …), prose runs on."""

BARE_MAX = 250
"""A number without unit above this is no dose in g."""

UNREASONABLE = 10
"""A dose above so many times the largest usual one is marked: our choice, far above what physicians give on purpose."""

OUT_OF_REASON = "dose out of reason"
"""How the guess of such a dose begins."""

_NOTE_DOSE = re.compile(rf"\s?(各?)({NUMBER})(?:[-~]({NUMBER}))?\s?({UNIT})(?:[,、;\s]{{1,3}}(.+))?", re.I)
_NOTE_HAN = re.compile(rf"(各?)({HAN_DOSE})")
_PROCESS = re.compile("[炒炙制生酒醋盐蜜姜煅焦炮煨法清鲜麸土米]{1,2}")
_NO_HERB = frozenset(
    "无 略 药物 药名 中药 剂量 用量 备注 功效 作用 处方 方药 组成 药物组成 用药 拟方 方用 药用 方剂 药味 序号 单位 数量 用法".split()
)
_WORKED = re.compile("[炒炙制生酒醋盐蜜姜煅焦炮煨捣碎轧研打细切劈]+")
_DESCRIPTION = re.compile("[者的仁]$|大者|小者|去|后|选|良|佳|重约|各?约$|用量")
_WEIGHTS = frozenset("g kg mg ml 克 公克 公分 千克 毫克 毫升 钱 斤".split())
_RECIPE = frozenset({"rp", "rx", "r"})
_PASSED_OVER = frozenset({"price", "code", "rest"})
_BESIDE = frozenset({"blank", "dash", "each", "note", "handle"})
_LOOKALIKE = str.maketrans("lIOoSZ|", "1100521")
_UNKNOWN_UNIT = re.compile("[袋盒瓶包贴丸杯勺丁份板壶桶筐]")


@dataclass
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

    def item(self) -> PrescriptionItem:
        """The herb as a record."""
        return PrescriptionItem(
            herb=self.herb, dose=self.dose, dose_high=self.high, unit=self.unit, note="，".join(self.notes)
        )


class ItemReader:
    """Collects herbs piece by piece; a piece is what stands between two separators."""

    def __init__(self, units: bool = False) -> None:
        self._units = units  # whether the text has weights with units: then a number without one is a guess
        self.drafts: list[Draft] = []
        self.unread: list[str] = []
        self.uses: list[Token] = []  # packets and usage between herbs
        self.verb = ""
        self._each = self._dosed = False
        self._groups = 0
        self._pending: list[str] = []  # handling before the name it belongs to

    def piece(self, words: Sequence[Token], prose: bool) -> None:
        """Read one piece; in prose a name without dose counts only where the herb table knows it."""
        first, self._each, self._dosed, self._pending = len(self.drafts), False, False, []
        words = self._units_apart([word for word in words if word.kind not in _PASSED_OVER])
        self._dose_first = not self._undosed() and self._doses_come_first(words)
        skip_to = 0
        for index, word in enumerate(words):
            if index < skip_to:
                continue
            following = words[index + 1] if index + 1 < len(words) else None
            if word.kind == "colon" and self._explains(words[index + 1 :]):
                self.unread.append("".join(w.raw for w in words[index + 1 :]).strip())
                break
            skip_to = index + 1 + self._word(word, following, first)
        if prose:
            self._keep_known(first)

    @staticmethod
    def _units_apart(words: list[Token]) -> list[Token]:
        """Counted units that begin the next name instead (杜仲20 两面针18), unless the herb is counted so (生姜3片)."""
        for at in range(1, len(words) - 1):
            number, name = words[at], words[at + 1]
            unit = number.match["unit"] if number.kind == "dose" else None
            if not unit or name.kind != "name" or number.end != name.start or unit in _WEIGHTS:
                continue
            if not resolve_herb(unit + name.half):
                continue
            known = resolve_herb(words[at - 1].half)
            if known is None or herb_info(known.canonical).piece != unit:
                words[at], words[at + 1] = without_unit(number, name)
        return words

    def _undosed(self) -> bool:
        return bool(self.drafts) and self.drafts[-1].dose is None

    @staticmethod
    def _doses_come_first(words: Sequence[Token]) -> bool:
        """Whether each dose of a piece stands before its name (30g黄芪); numbers alone may be those of a list."""
        solid = [word for word in words if word.kind not in _BESIDE]
        if len(solid) < 2 or solid[0].kind not in ("dose", "han") or solid[-1].kind != "name":
            return False
        first, second = solid[:2]
        bare = first.kind == "dose" and not first.match["unit"]
        if bare and (float(first.match["low"]) <= 2 or first.end != second.start):
            return False
        return sum(w.kind == "name" for w in solid) == sum(w.kind in ("dose", "han") for w in solid)

    def _explains(self, rest: Sequence[Token]) -> bool:
        """Whether what follows a colon explains the herb that has its dose: 黄芪30g：补气."""
        return self._dosed and bool(rest) and not any(word.kind in ("dose", "han", "slip") for word in rest)

    def _word(self, word: Token, following: Token | None, first: int) -> int:
        """Read one word; returns how many of the next words it took as well."""
        kind = word.kind
        if kind == "name":
            return self._name(word, following, first)
        if kind in ("dose", "han", "slip", "comma"):
            return self._dose(word, following, first)
        if kind == "note":
            self._note(word, first)
        elif kind == "handle":
            self._handle(word, following, first)
        elif kind == "loose":
            if self._undosed():
                for draft in self._waiting(word.half.startswith("各")):
                    draft.notes.append(word.raw.removeprefix("各"))
            else:
                self.unread.append(word.raw)
        elif kind == "each":
            self._each = True
        elif kind == "colon":
            self._colon(following, first)
        elif kind in ("pack", "use"):
            self._use(word, following, first)
        elif kind == "verb":
            self._verb(word, following)
        elif kind in ("junk", "other") and word.half.lower() not in _RECIPE:
            if len(self.drafts) > first and self._undosed():
                self.drafts[-1].guess = f"dose not read: {word.raw}"
            self.unread.append(word.raw)
        return 0

    def _name(self, word: Token, following: Token | None, first: int) -> int:
        """A run of Han characters."""
        if word.half in _NO_HERB or (self._dose_first and self._wanting()):
            if self._dose_first and self._wanting():
                self.drafts[-1].herb = word.raw
                self._dosed = True
                self._check(self.drafts[-1:])
            return 0
        if len(word.half) > 2 * MAX_HERB_NAME:
            self.unread.append(word.raw)
            return 0
        if self._dosed and ONE_WORD.fullmatch(word.half):
            self.drafts[-1].notes.append(word.raw)
            return 0
        if self._joined(word):
            return 0
        before, names, notes = herbs_in(word.half)
        if self._describes(word, names, following, first):
            self.drafts[-1].notes.append(word.raw)
            return 0
        if before and not only_lead(before):
            (self._pending if _WORKED.fullmatch(before) else self.unread).append(word.raw[: len(before)])
        at = len(before)
        for name in names:
            at = word.half.index(name, at)
            written = word.raw[at : at + len(name)]
            if len(written) > MAX_HERB_NAME:
                self.unread.append(written)
                continue
            self._groups += 1
            parts = joint_herbs(name)
            for herb in parts or (written,):
                joint = written if parts else ""
                self.drafts.append(
                    Draft(herb, notes=[*self._pending, *notes], group=self._groups, joint=joint, verb=self.verb)
                )
        self._pending, self._dosed = [], False
        return 0

    def _describes(self, word: Token, names: Sequence[str], following: Token | None, first: int) -> bool:
        """Whether words between a herb and its dose only describe it (鸦胆子 去皮成实者五十粒)."""
        last = self.drafts[-1] if len(self.drafts) > first else None
        if last is None or last.dose is not None or following is None or following.kind not in ("dose", "han"):
            return False
        return not any(map(herb_like, names)) and bool(_DESCRIPTION.search(word.half)) and herb_like(last.herb)

    def _joined(self, word: Token) -> bool:
        """Whether the name goes on after a blank (炒 枳壳): only where the tables know the two together."""
        last = self.drafts[-1] if self.drafts else None
        if last is None or last.dose is not None or last.notes or last.joint or resolve_herb(last.herb):
            return False
        if self._dosed or not resolve_herb(last.herb + word.raw) or self._each:
            return False
        last.herb += word.raw
        return True

    def _wanting(self) -> bool:
        return bool(self.drafts) and not self.drafts[-1].herb

    def _waiting(self, each: bool) -> list[Draft]:
        """The herbs that the next dose belongs to: the last one, after 各 all without dose directly before."""
        found: list[Draft] = []
        for draft in reversed(self.drafts):
            if draft.dose is not None or draft.verb == "remove" != self.verb:
                break
            if found and not each and not (draft.group == found[0].group and draft.joint):
                break
            found.append(draft)
        return found[::-1]

    def _dose(self, word: Token, following: Token | None, first: int) -> int:
        """A dose; without unit it is g of the name before it, unless an unknown unit follows."""
        low, high, unit, guess = _amount(word)
        impossible = word.kind == "dose" and bool(word.match["minus"])
        bare = unit == ""
        if self._dose_first:
            if low > 0 and not impossible:
                self.drafts.append(
                    Draft("", low, high, unit or "g", [*self._pending], "no unit" * bare, verb=self.verb)
                )
                self._pending = []
            else:
                self.unread.append(word.raw)
            return 0
        if bare and following is not None and following.start == word.end:
            if following.kind == "name" and _UNKNOWN_UNIT.match(following.half) and not herb_like(following.half):
                self._refuse(word.raw + following.raw)
                return 1
            if following.kind == "junk" or following.half[:1] in "%":
                self._refuse(word.raw)
                return 0
        if bare and (len(self.drafts) == first or low > BARE_MAX):
            if low > BARE_MAX and len(self.drafts) > first:
                self._refuse(word.raw)
            else:
                self.unread.append(word.raw)  # a list number, or no dose of ours
        elif impossible or low <= 0 or high == 0:
            self._refuse(word.raw)
        else:
            self._give(low, high, unit or "g", guess or "no unit" * (bare and self._units), word.raw)
        return 0

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
        shared = len(waiting) if waiting[-1].joint and not self._each else 1
        for draft in waiting:
            draft.dose, draft.high, draft.unit = low / shared, high / shared if high else None, unit
            draft.guess = guess or (f"{draft.joint} {text.strip()} shared equally" if shared > 1 else "")
        self._check(waiting)
        self._each, self._dosed = False, True

    @staticmethod
    def _check(drafts: Sequence[Draft]) -> None:
        """Mark doses out of reason."""
        for draft in drafts:
            known = (
                resolve_herb(draft.herb)
                if draft.dose and draft.unit in GRAMS and draft.dose * GRAMS[draft.unit] > 30
                else None
            )
            most = herb_info(known.canonical).dose_max_g if known else None
            grams = dose_in_g(draft.item()) if most else None
            if grams and grams > UNREASONABLE * most:
                draft.guess = draft.guess or f"{OUT_OF_REASON}: usually at most {most:g} g"

    def _note(self, word: Token, first: int) -> None:
        """A bracket: processing that belongs to the name, a dose, or a note on the herb before."""
        note, written = word.half[1:-1], word.raw[1:-1].strip()
        dose = _NOTE_DOSE.fullmatch(note)
        if re.fullmatch(r"\s*[0-9]{0,3}\s*", note):
            return  # a list number
        if not self.drafts:
            if len(note) > 2:
                self.unread.append(word.raw)
        elif self.drafts[-1].dose is None and (spelt := _NOTE_HAN.fullmatch(note)):
            self._each = self._each or bool(spelt[1])
            low, high, unit = han_dose(spelt[2])
            self._give(low, high, _unit(unit), "", word.raw)
        elif dose and self.drafts[-1].dose is None:
            each, low, high, unit, more = dose.groups()
            self._each = self._each or bool(each)
            self.drafts[-1].notes += [word.raw[1:-1][dose.start(5) :]] if more else []
            self._give(float(low), float(high) if high else None, _unit(unit), "", word.raw)
        elif _PROCESS.fullmatch(note) and self.drafts[-1].dose is None and not self.drafts[-1].notes:
            self.drafts[-1].herb += f"（{note}）"
        elif written:
            self.drafts[-1].notes.append(written)

    def _handle(self, word: Token, following: Token | None, first: int) -> None:
        """Handling without brackets: of the herb before it in the piece, else of the herb that follows at once."""
        if len(self.drafts) == first and following is not None and following.kind == "name":
            self._pending.append(word.raw)
        elif self.drafts:
            self.drafts[-1].notes.append(word.raw.strip())
        else:
            self.unread.append(word.raw)

    def _colon(self, following: Token | None, first: int) -> None:
        """A colon after a name without dose: a dose may follow, but a name after it makes the first a heading."""
        if following is not None and following.kind in ("name", "blank") and len(self.drafts) > first:
            if self.drafts[-1].dose is None and following.kind == "name":
                heading = self.drafts.pop().herb
                if not only_lead(heading):
                    self.unread.append(heading + "：")

    def _use(self, word: Token, following: Token | None, first: int) -> None:
        """Usage or packets before the last herb: a dose a time is the herb's, all else is kept for later."""
        amount = re.search(rf"({NUMBER})\s?(g|克|钱)$", word.half)
        if amount and len(self.drafts) > first and self.drafts[-1].dose is None:
            self.drafts[-1].notes.append(word.raw)
            self._give(float(amount[1]), None, _unit(amount[2]), f"dose a time: {word.raw}", word.raw)
        elif word.kind == "use" and following is not None and following.kind == "name":
            self._pending.append(word.raw)
        else:
            self.uses.append(word)

    def _verb(self, word: Token, following: Token | None) -> None:
        """A word of change: what it does to the herb before it, or to those that follow."""
        last = self.drafts[-1] if self.drafts else None
        if (
            word.match["to"]
            or word.match["upto"]
            or (word.match["swap"] and following and following.kind in ("dose", "han"))
        ):
            if last:
                last.verb = "set"
        elif word.match["out"]:
            self.verb = "remove"
        elif word.match["into"]:
            self.verb = "add"
        elif word.match["swap"] and last:
            if last.dose is None:
                last.verb, self.verb = "remove", "add"
            else:
                last.verb, self.verb = "add", "remove"

    def _keep_known(self, first: int) -> None:
        """Of the herbs read since `first`, hand back those without dose that the herb table does not know."""
        new = self.drafts[first:]
        del self.drafts[first:]
        for draft in new:
            if draft.dose is None and resolve_herb(draft.herb) is None:
                self.unread.append(draft.herb)
            else:
                self.drafts.append(draft)

    def settle(self) -> None:
        """At the end: names without dose that are prose go to the unread, unknown ones are marked."""
        kept = []
        for draft in self.drafts:
            if draft.dose is None and not draft.guess and resolve_herb(draft.herb) is None:
                if PROSE.search(draft.herb):
                    self.unread.append(draft.herb)
                    continue
                draft.guess = "no dose, and no name of the tables"
            if draft.herb:
                kept.append(draft)
        self.drafts = kept


@lru_cache(maxsize=65536)
def herb_like(run: str) -> bool:
    """Whether a run of Han characters holds a herb of the tables."""
    return any(resolve_herb(name) or joint_herbs(name) for name in herbs_in(run)[1])


def _unit(text: str | None) -> str:
    text = (text or "").lower()
    return {"毫克": "mg", "毫升": "ml", "千克": "kg"}.get(text, "g" if text in GRAM_WORDS else text)


def _amount(word: Token) -> tuple[float, float | None, str, str]:
    """Low, high, unit ("" where none is written) and the guess of a dose."""
    m = word.match
    if word.kind == "han":
        low, high, unit = han_dose(word.half)
        return low, high, _unit(unit), ""
    if word.kind == "comma":
        low = float(m["comma"].replace(",", "."))
        sure = m["comma"].startswith("0")
        return low, None, _unit(m["comma_unit"].strip()), "" if sure else f"decimal comma: {word.raw}"
    if word.kind == "slip":
        digits = re.sub(r"\s", "", re.match(r"[0-9lIOoSZ|.\s]+", word.half).group()).translate(_LOOKALIKE)
        value = float(digits) if re.fullmatch(NUMBER, digits) else 0.0
        return value, None, "g", f"read from {word.raw}"
    return float(m["low"]), float(m["high"]) if m["high"] else None, _unit(m["unit"]), ""
