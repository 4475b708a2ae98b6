"""From the words of one prescription to its herbs: which dose belongs to which name, and what could not be read."""

import re
from collections.abc import Sequence

from tcm.knowledge import joint_herbs, resolve_herb
from tcm.prescriptions.doses import amount, amount_in_note, count, doses_come_first, explains, unit_of, units_apart
from tcm.prescriptions.drafts import Draft, Drafts, out_of_reason
from tcm.prescriptions.tokens import COUNT, HANDLED, NUMBER, Token
from tcm.prescriptions.words import ONE_WORD, PROSE, herb_like, herbs_in, is_herb, only_lead

MAX_HERB_NAME = 12
"""Longest herb name in characters; herb tables need 7 (煅紫石英粉 …), prose runs on."""

BARE_MAX = 250
"""A number without unit above this is no dose in g."""

_PROCESS = re.compile("[炒炙制生酒醋盐蜜姜煅焦炮煨法清鲜麸土米]{1,2}")
_NO_HERB = frozenset(
    "无 略 药物 药名 中药 剂量 用量 备注 功效 作用 处方 方药 组成 药物组成 用药 拟方 方用 药用 方剂 药味 序号 单位 数量"
    " 用法 方 饮片 中药饮片 草药 中草药 剂 付 帖".split()
)
_WORKED = re.compile("[炒炙制生酒醋盐蜜姜煅焦炮煨捣碎轧研打细切劈]+")
_DESCRIPTION = re.compile("色$|大个$|[者的仁]$|大者|小者|去|后|选|良|佳|重约|各?约$|用量")
_BARE_HAN = re.compile(f"(.{{2,}}?)({COUNT})")
_RECIPE = frozenset({"rp", "rx", "r"})
_GUIDE = re.compile("[为作做]?药?引子?")
_ELSE = re.compile("至|到|或|可?[加增减]至")
_UNKNOWN_UNIT = re.compile("[袋盒瓶包贴丸杯勺丁份板壶桶筐]")


class ItemReader(Drafts):
    """Collects herbs piece by piece; a piece is what stands between two separators."""

    def __init__(self, units: bool = False) -> None:
        super().__init__()
        self._units = units  # whether the text has weights with units: then a number without one is a guess
        self.uses: list[Token] = []  # packets and usage between herbs
        self.under = ""  # handling with a colon, of all herbs of its sentence
        self._groups = 0
        self._pending: list[str] = []  # handling before the name it belongs to

    def piece(self, words: Sequence[Token], prose: bool) -> None:
        """Read one piece, which has a word; in prose a name without dose counts only where the herb table knows it."""
        first, self._each, self._dosed, self._instead = len(self.drafts), False, False, False
        self._pending, self._prose = [], prose
        words = units_apart(words) if len(words) > 2 else words
        self._dose_first = words[0].kind != "name" and not self._undosed() and doses_come_first(words)
        skip_to = 0
        for index, word in enumerate(words):
            if index < skip_to:
                continue
            nexts = [w for w in words[index + 1 : index + 3] if word.kind != "note" or w.kind != "blank"]
            following = nexts[0] if nexts else None
            if word.kind == "colon" and self._dosed and explains(words[index + 1 :]):
                self.unread.append("".join(w.raw for w in words[index + 1 :]).strip())
                break
            skip_to = index + 1 + self._word(word, following, first)
        if self._prose:
            self._keep_known(first)

    def _word(self, word: Token, following: Token | None, first: int) -> int:
        """Read one word; returns how many of the next words it took as well."""
        kind = word.kind
        if kind == "name":
            return self._name(word, following, first)
        if kind in ("dose", "han", "slip", "comma"):
            return self._dose(word, following, first)
        if kind == "note":
            self._note(word, following, first)
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
        elif kind in ("junk", "other") and word.half.lower() not in _RECIPE:
            if len(self.drafts) > first and self._undosed():
                self.drafts[-1].guess = f"dose not read: {word.raw}"
            self.unread.append(word.raw)
        return 0

    def _name(self, word: Token, following: Token | None, first: int) -> int:
        """A run of Han characters: one known herb, nearly always; else what `herbs_in` makes of it."""
        if not self._dose_first and is_herb(word.half) and not (len(self.drafts) > first and self._undosed()):
            self._groups += 1
            self.drafts.append(Draft(word.raw, notes=self._before(), group=self._groups, verb=self.verb))
            self._dosed = False
            return 0
        if word.half in _NO_HERB or (self._dose_first and self._wanting()):
            if self._dose_first and self._wanting():
                self.drafts[-1].herb = word.raw
                self._dosed = True
                self.drafts[-1].guess = self.drafts[-1].guess or out_of_reason(self.drafts[-1])
            return 0
        if len(word.half) > 2 * MAX_HERB_NAME:
            self.unread.append(word.raw)
            return 0
        if self._dosed and _PROCESS.fullmatch(word.half) and not resolve_herb(word.half):
            self.drafts[-1].herb += f"（{word.raw}）"  # 甘草一钱炙
            return 0
        if self._dosed and (ONE_WORD.fullmatch(word.half) or _GUIDE.fullmatch(word.half)):
            self.drafts[-1].notes.append(word.raw)
            return 0
        if self.drafts and word.half.startswith("或") and herb_like(word.half[1:]):
            dosed = following is not None and following.kind in ("dose", "han")
            self.drafts[-1].notes.append(word.raw + following.raw * dosed if dosed else word.raw)
            return int(dosed)
        if self._joined(word):
            return 0
        if self._dosed and following is not None and following.kind in ("dose", "han") and _ELSE.fullmatch(word.half):
            self.drafts[-1].guess = f"dose not read: {word.raw}{following.raw}"  # 五钱至一两, 30g或60g
            self.unread.append(word.raw + following.raw)
            return 1
        if (spelt := _BARE_HAN.fullmatch(word.half)) and is_herb(spelt[1]):
            self.drafts.append(Draft(word.raw[: len(spelt[1])], verb=self.verb, notes=self._before()))
            self._give(count(spelt[2]), None, "g", "no unit", word.raw[len(spelt[1]) :])
            return 0
        before, names, notes = herbs_in(word.half)
        self._instead = self._instead or before.endswith(("以", "用"))
        if self._describes(word, names, following, first):
            self.drafts[-1].notes.append(word.raw)
            return 0
        if before and not only_lead(before):
            (self._pending if _WORKED.fullmatch(before) else self.unread).append(word.raw[: len(before)])
        at, handling = len(before), self._before()
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
                    Draft(herb, notes=[*handling, *notes], group=self._groups, joint=joint, verb=self.verb)
                )
        self._dosed = False
        return 0

    def _before(self) -> list[str]:
        """The handling that was said before the name that is read now."""
        said = [*self._pending, *([self.under] if self.under else [])]
        self._pending = []
        return said

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

    def _dose(self, word: Token, following: Token | None, first: int) -> int:
        """A dose; without unit it is g of the name before it, unless an unknown unit follows."""
        low, high, unit, guess = amount(word)
        impossible = word.kind == "dose" and bool(word.match["minus"])
        bare = unit == ""
        if self._dose_first:
            if low > 0 and high != 0 and not impossible:
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
        elif bare and self._undosed() and not herb_like(self.drafts[-1].herb) and PROSE.search(self.drafts[-1].herb):
            self.unread.append(self.drafts.pop().herb + word.raw)
        elif impossible:
            self._refuse(word.raw)
        else:
            self._give(low, high, unit or "g", guess or "no unit" * (bare and self._units), word.raw)
        return 0

    def _note(self, word: Token, following: Token | None, first: int) -> None:
        """A bracket: processing that belongs to the name, a dose, or a note on the herb before."""
        note, written = word.half[1:-1], word.raw[1:-1].strip()
        if re.fullmatch(r"\s*[0-9]{0,3}\s*", note):
            return  # a list number
        if note == "各":
            self._each = True
            return
        if not self._undosed() and is_herb(note) and following is not None and following.kind in ("dose", "han"):
            self._groups += 1  # 【黄芪】30g
            self.drafts.append(Draft(written, group=self._groups, verb=self.verb))
            return
        if len(self.drafts) == first and HANDLED.fullmatch(note) and following is not None and following.kind == "name":
            self._pending.append(written)  # ，（后下）薄荷6g
        elif not self.drafts:
            self.unread.append(word.raw)
        elif self.drafts[-1].dose is None and (dose := amount_in_note(note)):
            low, high, unit, each, rest = dose
            self._each = self._each or each
            self.drafts[-1].notes += [more] if (more := word.raw[1:-1][rest]) else []
            self._give(low, high, unit, "", word.raw)
        elif _PROCESS.fullmatch(note) and self.drafts[-1].dose is None and not self.drafts[-1].notes:
            self.drafts[-1].herb += f"（{note}）"
        elif written:
            self.drafts[-1].notes.append(written)

    def _handle(self, word: Token, following: Token | None, first: int) -> None:
        """Handling without brackets: of the herb before it in the piece, else of the herb that follows at once.

        With a colon (先煎：龙骨30g，牡蛎30g；后下：…) it is of those that follow, up to the end of the sentence.
        """
        if following is not None and following.kind == "colon" and (len(self.drafts) == first or self._dosed):
            self.under = word.raw.strip()
        elif len(self.drafts) == first and following is not None and following.kind == "name":
            self._pending.append(word.raw)
        elif self.drafts:
            self.drafts[-1].notes.append(word.raw.strip())
        else:
            self.unread.append(word.raw)

    def _colon(self, following: Token | None, first: int) -> None:
        """A colon after a name without dose: a dose may follow, but a name after it makes the first a heading."""
        names = following is not None and following.kind == "name"
        if names and len(self.drafts) > first and self.drafts[-1].dose is None:
            heading = self.drafts.pop().herb
            self._prose = PROSE.search(heading) is not None
            if not only_lead(heading):
                self.unread.append(heading + "：")

    def _use(self, word: Token, following: Token | None, first: int) -> None:
        """Usage or packets before the last herb: a dose a time is the herb's, all else is kept for later."""
        a_time = re.search(rf"({NUMBER})\s?(g|克|钱)$", word.half)
        if a_time and len(self.drafts) > first and self.drafts[-1].dose is None:
            self.drafts[-1].notes.append(word.raw)
            self._give(float(a_time[1]), None, unit_of(a_time[2]), f"dose a time: {word.raw}", word.raw)
        elif word.kind == "use" and following is not None and following.kind == "name":
            self._pending.append(word.raw)
        else:
            self.uses.append(word)

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
