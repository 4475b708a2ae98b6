"""Part herbs from what is said about them: ``黄芪 10克（补气）`` is 黄芪 10克 and the remark 补气.

A physician's line holds herbs, doses and handling; a chat model adds an effect to each herb, after a colon, a dash or a
comma or in brackets. Only lines that are laid out as a list, rows of tables and sentences with a colon or dash behind a
dose are read here; in the study's own layout a bracket is a note, whatever it says.
"""

import re
from dataclasses import dataclass, field
from functools import cache

from tcm.knowledge import resolve_herb
from tcm.prescriptions.tokens import HALF_WIDTH, HAN

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,25})?"
_UNIT = (
    "(?:(?i:g(?:rams?)?|kg|mg|ml)|公克|千克|毫克|毫升|公分|克|钱|两(?!次)|分(?!钟|之|[0-9一二三四五六七八九十两次服别])"
    "|[枚片条个根只粒颗支张对具朵块茎节把])"
)
_DOSE = rf"{_NUMBER}\s?(?:{_UNIT}?\s?[-~至到]\s?{_NUMBER}\s?)?(?:{_UNIT}|(?![0-9{HAN}/%.]|(?i:[A-Z])))"
_HAN_AMOUNT = rf"(?<=[{HAN}])(?<!三)(?:[一二三四五六七八九十百半]{{1,4}}{_UNIT}半?|[钱两]半)"
_HAN_DOSE = re.compile(f"{_HAN_AMOUNT}$")
_HANDLING = re.compile(
    "煎|后[下入]|包$|烊|炖|冲服?|兑服?|吞服|送服|研|末$|碎|捣|[擘劈泡浸]|切[片段丝碎]?"
    "|去[核心芯皮毛节芦油翅足头尾刺]|分.{0,3}次|[0-9]分钟"
    "|^另|适量|少许|^[炒炙制生酒醋盐蜜姜煅焦炮煨法清鲜麸土米]{1,2}[炒炙制]?$"
)
_PROCESS = re.compile("[炒炙制生酒醋盐蜜姜煅焦炮煨法清鲜麸土米]{1,2}")
_DOSE_WORD = re.compile("^(?:剂量|用量|量|常用量|建议剂量|推荐剂量|重量|分量|各)$")
_NO_NAME = re.compile("^(?:[可每或约共用]|加至|用至|增至|减至|剂量|用量|常用|一般|建议|推荐)")
_TAKING = re.compile(
    r"[共计合服连]{0,2}\s?(?:[0-9]{1,3}|[一二三四五六七八九十两]{1,3})\s?[剂付帖副贴](?!量)"
    rf"|[{HAN}]{{0,6}}(?:水煎|煎服|[日天]\s?[0-9一二两]?\s?[剂付次])"
)
_TAKING_ALONE = re.compile("加水|每[日天]|温服|早晚|^服|连服|口服|[饭睡][前后]")
_MAYBE_REMARK = re.compile(r"[:：—–→⇒>①-⑳]|[-－](?![0-9０-９])|\d[)）、.．](?!\d)")
_LIST_NUMBER = re.compile(rf"(?<![\d.\-~])(?:[(（]?\d{{1,2}}[)）、.．]|[①-⑳])\s{{0,3}}(?=[{HAN}])")


@cache
def _tokens() -> re.Pattern[str]:
    """Brackets, doses, words and signs of a line; like the next two compiled where a list of herbs has to be read."""
    return re.compile(
        rf"\((?P<bracket>[^()\n]{{0,120}})\)?"
        rf"|(?P<dose>{_DOSE})"
        rf"|(?P<word>[{HAN}]+(?:[0-9]{{1,3}}(?:[~-][0-9]{{1,3}})?(?:分钟|小时|次|个?月|天|日|(?i:min|h))[{HAN}]*)*)"
        r"|(?P<colon>:|--?|[>→⇒])|(?P<comma>[,;、。/+|])"
        r"|(?P<other>(?i:[A-Z](?:[A-Z' ]*[A-Z])?)|[0-9]+[^\s\W]*)|(?P<rest>\S)"
    )


@cache
def _behind_dose() -> re.Pattern[str]:
    """A colon or dash behind a dose."""
    return re.compile(rf"(?:{_DOSE}|{_HAN_AMOUNT})\s{{0,3}}\)?\s{{0,3}}(?::|-{{1,2}}(?!\s{{0,3}}[0-9]))")


@cache
def _herb_first() -> re.Pattern[str]:
    """A herb with its dose, at the beginning of a line."""
    return re.compile(
        rf"(?i:[A-Z][A-Z' ]{{0,30}})?[{HAN}]{{1,12}}?"
        rf"(?:(?:\([^()\n]{{1,30}}\))?[\s:]{{0,3}}\(?\s?{_DOSE}|{_HAN_AMOUNT})"
    )


@dataclass
class _Item:
    """A herb as it stands in a line: name and dose as written, handling."""

    name: str
    dose: str = ""
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        return f"{self.name}{self.dose}" + (f"（{'，'.join(self.notes)}）" if self.notes else "")


@dataclass
class Herbs:
    """Herbs of one line or table row, what was said about them, and how they are to be taken."""

    items: list[_Item] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    taking: str = ""
    _waiting: str = ""

    def text(self) -> str:
        """The herbs as a prescription is written; the remarks are left out."""
        return "，".join([item.text() for item in self.items] + [part for part in (self._waiting, self.taking) if part])

    def name(self, name: str) -> None:
        """A herb; a dose that stood before it is its dose."""
        self.items.append(_Item(name, self._waiting))
        self._waiting = ""

    def dose(self, dose: str) -> None:
        """A dose: of the last herb, or of the next one where that has its dose."""
        if self.items and not self.items[-1].dose:
            self.items[-1].dose = dose
        elif self._waiting:
            self.remarks.append(dose)
        else:
            self._waiting = dose

    def dose_and_more(self, text: str, unit: str = "") -> None:
        """A dose with what may follow it (``15g（先煎）``); `unit` is that of a bare number."""
        dose, more = re.match(r"([^（(，,；;：:]*)(.*)", text, re.S).groups()
        self.dose(dose + (unit if re.fullmatch(r"[\d.\s~-]+", dose) else ""))
        self.said(more.strip("（()），,；;：: "))

    def said(self, text: str) -> None:
        """A remark or a note on the last herb, perhaps several with commas between them."""
        for piece in re.split("[,，;；、。]", text):
            if is_handling(piece.strip()) and self.items:
                self.items[-1].notes.append(piece.strip())
            elif piece.strip():
                self.remarks.append(piece.strip())


def is_handling(text: str) -> bool:
    """Whether a remark says how the herb is prepared (先煎, 去核, 炙), not what it does."""
    return len(text) <= 20 and _HANDLING.search(text) is not None


def is_herb(text: str) -> bool:
    """Whether a text is the name of a herb that the tables know."""
    return resolve_herb(text) is not None


def is_dose(text: str) -> bool:
    """Whether a text is a dose and nothing else."""
    half = text.translate(HALF_WIDTH).strip()
    return re.fullmatch(_DOSE, half) is not None or _HAN_DOSE.fullmatch("药" + half, 1) is not None


def opens_with_herb(line: str) -> bool:
    """Whether a line begins with a herb and its dose."""
    return not line.startswith(("加水", "水煎")) and _herb_first().match(line.translate(HALF_WIDTH)) is not None


def is_taking(text: str) -> bool:
    """Whether a line holds the packets or the way of taking."""
    half = text.translate(HALF_WIDTH)
    return _TAKING.match(half) is not None or (
        _TAKING_ALONE.search(half) is not None and "服" in half or "煎取" in half
    )


def without_remarks(text: str) -> tuple[str, list[str]]:
    """Read the sentences of a prescription that number the herbs or put a remark behind a dose; others stay.

    Returns:
        The prescription, and the remarks.
    """
    if not _MAYBE_REMARK.search(text):
        return text, []
    numbered = len(_LIST_NUMBER.findall(text)) > 1
    if not (numbered or _has_remarks(text)):
        return text, []
    kept, remarks = [], []
    for sentence in re.split(r"(?<=[。\n])", text):
        herbs = [part for part in _LIST_NUMBER.split(sentence) if part.strip()] if numbered else [sentence]
        if len(herbs) > 1 or _has_remarks(sentence) or (numbered and _LIST_NUMBER.match(sentence)):
            read = [read_line(herb) for herb in herbs]
            kept.append("，".join(r.text() for r in read) + ("\n" if sentence.endswith("\n") else "。"))
            remarks += [remark for r in read for remark in r.remarks]
        else:
            kept.append(sentence)
    return "".join(kept), remarks


def _has_remarks(text: str) -> bool:
    """Whether somewhere behind a dose a colon or dash opens a remark; behind 各10g at the start the herbs follow."""
    return (
        not text.lstrip().startswith("各")
        and _behind_dose().search(re.sub(r"\([^()\n]{0,60}\)", "", text.translate(HALF_WIDTH))) is not None
    )


def read_line(line: str) -> Herbs:
    """Read a line of herbs of which each may have a remark.

    A word is a herb where a dose follows, or where the tables know it and no remark has begun; what begins with the
    packets or the way of taking is handed back as it stands.
    """
    herbs, in_remark, half = Herbs(), False, line.translate(HALF_WIDTH)
    tokens = list(_tokens().finditer(half))
    for number, token in enumerate(tokens):
        text = line[token.start() : token.end()].strip()
        if herbs.items and _begins_taking(half, token, in_remark):
            herbs.taking = line[token.start() :].strip()
            break
        if token["bracket"] is not None:
            in_remark = _bracket(herbs, token["bracket"], in_remark)
        elif token["dose"]:
            if in_remark and herbs.items and herbs.items[-1].dose:
                herbs.remarks.append(text)
            else:
                herbs.dose(text)
        elif token["colon"]:
            in_remark = in_remark or bool(herbs.items)
        elif token["word"]:
            in_remark = _word(herbs, text, in_remark, _dose_follows(tokens, number))
        elif token["other"]:
            herbs.remarks.append(text)
    return herbs


def _begins_taking(half: str, token: re.Match[str], in_remark: bool) -> bool:
    """Whether the packets or the way of taking begin at a token; in a remark only what can be nothing else counts."""
    if not (token["word"] or token["other"]):
        return False
    return _TAKING.match(half, token.start()) is not None or (
        not in_remark and _TAKING_ALONE.search(token.group()) is not None
    )


def _word(herbs: Herbs, text: str, in_remark: bool, dosed: bool) -> bool:
    """A run of Han characters; returns whether a remark is open behind it."""
    if text == "各" and herbs.items:
        herbs.items[-1].name += text
        return in_remark
    amount = _HAN_DOSE.search(text)
    if amount and (is_herb(text[: amount.start()]) or not is_herb(text)):
        herbs.name(text[: amount.start()])
        herbs.dose(amount.group())
        return False
    fits = len(text) <= 12 and not _NO_NAME.match(text) and not _DOSE_WORD.match(text)
    if fits and dosed and (is_herb(text.rstrip("各")) or not in_remark):
        herbs.name(text)
        return False
    if is_herb(text) and (not in_remark or herbs._waiting):
        herbs.name(text)
    elif not _DOSE_WORD.match(text):
        herbs.said(text)
    return in_remark


def _dose_follows(tokens: list[re.Match[str]], number: int) -> bool:
    """Whether the next token is a dose, or a colon or bracket in which one stands."""
    for token in tokens[number + 1 : number + 4]:
        if token["dose"] or (token["bracket"] and re.match(rf"\s?(?:各)?{_DOSE}", token["bracket"])):
            return True
        if not token["colon"] and token["bracket"] is None:
            return False
    return False


def _bracket(herbs: Herbs, inner: str, in_remark: bool) -> bool:
    """What stands in brackets: a dose, processing, a name in Chinese beside a foreign one, or a remark."""
    dose = re.match(rf"\s?(各?)({_DOSE})", inner)
    if dose and herbs.items and not herbs.items[-1].dose:
        herbs.items[-1].name += dose[1]
        herbs.dose(dose[2])
        inner = inner[dose.end() :]
    elif _PROCESS.fullmatch(inner) and herbs.items and not herbs.items[-1].dose:
        herbs.items[-1].name += f"（{inner}）"
        return in_remark
    elif is_herb(inner.strip()) and not herbs.items:
        herbs.name(inner.strip())
        return False
    herbs.said(inner)
    return in_remark
