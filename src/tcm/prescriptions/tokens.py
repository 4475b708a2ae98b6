"""The words of a prescription: doses, numbers, notes, handling, packets, usage and names, cut from a text in one pass.

A name is a run of Han characters up to the next word of another kind. Names of the tables that hold such a word
(三七, 一枝黄花, 五加皮) are names first.
"""

import re
from functools import cache
from typing import NamedTuple

from tcm.knowledge import aliases, forms, herbs, simplified

_BLOCKS = ("〇〇", "\u3400\u9fff", "\uf900\ufaff", "\U00020000\U0003ffff")
HAN = "".join(f"{low}-{high}" for low, high in _BLOCKS)
HALF_WIDTH = (
    {0xFF01 + i: 0x21 + i for i in range(94)}
    | {ord(full): half for full, half in zip("　〜∼—–‐−｡﹑［〔【］〕】", " ~~----。、((()))", strict=True)}
    | {ord("["): "(", ord("]"): ")"}
)
"""Punctuation, digits and letters made half-width, one character for one, so that positions stay the same."""

GRAM_WORDS = frozenset({"克", "公克", "公分"})
"""Other words for g, which one writes as g. 公分 was the name of the gram until 1959 (国务院, 统一计量制度的命令)."""

NUMBER = r"(?:[0-9]{1,9}(?:\.[0-9]{1,25})?|\.[0-9]{1,3})"
_PIECES = "枚片条个根只粒颗支张对具朵块茎节把束枝握撮盏盅碗杯匙尺寸滴升团株瓣段"
UNIT = (  # its letters alone ignore case: a pattern with HAN that does takes long to compile
    r"(?:(?i:g(?![a-wyz]|x(?![0-9]))|kg|mg|ml)|公克|公分|千克|毫克|毫升|克|钱|斤|两(?!次)"
    rf"|分(?!钟|之|[0-9一二三四五六七八九十两次服别冲吞])|[{_PIECES}](?!次))"
)
DIGITS = "一二三四五六七八九壹贰叁肆伍陆柒捌玖"
COUNT = (
    f"(?:[{DIGITS}两]?百(?:零?[{DIGITS}]|[{DIGITS}]?十[{DIGITS}]?)?|[{DIGITS}]?[十拾][{DIGITS}]?"
    rf"|[廿卅][{DIGITS}]?|[{DIGITS}两]{{1,2}}|半)"
)
_HALF = "半(?![夏枝边支荷枫下])"  # 蜈蚣一条半夏三钱: the herb begins there
_FROM = f"(?:{COUNT}[钱两分]?[至到~-])?"  # 三至五钱
HAN_DOSE = rf"(?:{_FROM}{COUNT}{UNIT}(?:{_HALF}|[{DIGITS}]?[{DIGITS}]?[钱分](?!之))?|[钱两](?={_HALF}){_HALF})"
_TIME = rf"\s?(?:{NUMBER}(?:\s?[-~至到]\s?{NUMBER})?|{COUNT})\s?个?(?:小时|分钟|刻钟|(?i:min|h(?![a-z]))|沸)"
PACKET_COUNT = "[0-9]{1,3}|[一二三四五六七八九十廿卅两]{1,3}"
PACKETS = (
    r"(?:[共计合给开予进投取拟]|[连续继再嘱试先]{0,2}服[用药]?|[再续继连]进|[上此]方|上药|各|[xX×*]|[剂付帖]数:?|\s){0,3}"
    rf"(?<![-~至到0-9.日天每隔])(?P<packets>{PACKET_COUNT})\s?[剂付帖副贴](?!量|型|\s?/|分|数|次|为)"
)
_HANDLING = (
    "先煎|先下|先入|久煎|后下|后入|后放|包煎|布包煎?|纱布包煎?|绢包|烊化|烊冲|溶化|另煎|另炖|单煎|炖服|冲服|分冲|冲入|冲兑|兑服|兑入|吞服"
    "|分吞|调服|噙化|研末|研粉|研细末?|打碎|打粉|捣碎|捣烂|捣细|轧细|劈开|切碎|切片|去[核心皮尖毛节芯油足头翅]{1,3}|磨[粉汁冲]|另包|自备|装胶囊|泡服"
    "|同煎|煎汤代水|代水煎"
)
_MANNER = (
    "每[日天次晚]|早晚各半|早晚|睡前|饭[前后]|分[0-9一二两三四]次|[分另同均用]|温水|开水|药[汁汤]"  # before handling
)
HANDLE = rf"(?:{_MANNER}){{0,3}}(?:{_HANDLING})(?:{_TIME})?(?:(?:{_MANNER}){{0,2}}(?:{_HANDLING})(?:{_TIME})?){{0,3}}"
HANDLED = re.compile(HANDLE)
_AMOUNT = rf"约?\s?{NUMBER}(?:\s?[-~至到]\s?{NUMBER})?\s?(?:(?i:ml|g)|毫升|克|丸|片|碗|升|钱|袋|包|粒)"
DAILY = r"[隔每一二两三1-9]{0,2}[日天][服用进各口]{0,2}[0-9一二两半]{1,2}\s?[剂付帖]"
"""Packets a day, which say nothing of how many there are."""
USE = (
    rf"(?:{DAILY}|(?:每[次服日]服?|[一每]次|日服|顿服|加水|煎取|煎至|煎成|取汁|取|水煎取?|浓煎至?|共煎|分服|兑水|浓缩至|煎){_AMOUNT}"
    "|水煎[服取]?|煎服|煎汤|煎水|煎[0-9一二两三]|浓煎|共煎|加水|取汁|文火|武火|温服|热服|凉服|频服|分服|口服|内服|服用|服药|连服|续服|继服|再服"
    "|嘱服|日服|送服|送下|顿服|代茶饮?|泡茶|上药|上方|隔日|[每一1][日天]|每次|每服"
    rf"|{NUMBER}\s?[剂付帖天日周]为?[一1]个?疗程"
    "|[0-9一二三四两]次|分[0-9一二三四两].{0,2}次|早晚|饭前|饭后|餐后|餐前|空腹|睡前|外[洗敷用涂搽]|熏洗|坐浴|泡[脚洗]|湿敷|灌肠|含漱|共研|研为|共为|为末|为丸|炼蜜"
    "|忌[食服口]?|禁忌|慎起居|医嘱|代煎|自煎)"
)
EACH = rf"(?:(?:[均皆俱]|以上|上药|[二三四五六七八九]味)?各|[均皆俱](?=\s?{NUMBER}\s?[g克钱]))"
"""The dose that follows is that of each herb before it."""
LOOSE = "各?(?:等[分份量]|适量|少许|酌量|若干)"
_COST = r"(?:单价|金额|合计|总计|总价|小计|药费|共计?)[:\s]?"
_PRICE = (
    rf"(?:{_COST})?(?:[¥$￥]\s?{NUMBER}|{NUMBER}\s?元(?![参胡明肉寸柏武芪宝眼米])(?:/\s?[gG克剂付])?)"
    rf"|(?:单价|金额)[:\s]?{NUMBER}|共\s?{NUMBER}\s?味药?"
    rf"|(?:[每单]剂?药?总?重量?|每丸重?|规格)[:约\s]{{0,2}}{NUMBER}\s?[gG克]"
)
_DATE = "(?:19|20)[0-9]{2}[年/.-][0-9]{1,2}[月/.-][0-9]{1,2}日?"
_CODE = r"(?i:(?<![A-Z0-9])[A-Z]{1,3})[0-9]{3,12}(?![0-9.]*\s?[gG克])"
_SLIP = (
    r"(?:(?=[0-9lIOoSZ|.]{0,4}[lIOoSZ|])[0-9lIOoSZ|]{1,4}(?:\.[0-9lIOo]{1,2})?\s?(?:g(?![a-z])|克)|[0-9]{1,3}q(?![a-z])"
    rf"|(?<=[{HAN}])[1-9]\s[0-9]\s?(?:g(?![a-z])|克))"
)
_DIGIT_NEXT = "(?=[0-9一二三四五六七八九十半.])"
_PLAIN_DOSE = r"[0-9]{1,4}(?:\.[0-9]{1,3})?[g克]"
"""A number right before g or 克: a dose and nothing else, so that no other word is tried."""
NAMED_DOSE = re.compile(rf"[{HAN}]{{2}}\s?{NUMBER}\s?{UNIT}")
"""A name with a dose, the plainest sign of a herb."""
VERB = (
    rf"(?P<vague>(?:用?量)?(?:减半|加倍|倍[量用]?|[酌加减增]量(?!{_DIGIT_NEXT}|[至为到])))"
    rf"|(?P<to>均?(?:用?量)?(?:加|增|减|改|调|升|降)(?:加|少|大|整)?量?[至为到成]{_DIGIT_NEXT})"
    "|(?P<out>(?:除|减|删|撤|去)[去掉除]|[去减撤删]|停用?|不用)"
    "|(?P<swap>改(?:用|为|成)?|易(?:为|以)?|换(?:为|成|用)?|代替?)"
    "|(?P<into>[再酌并另]?加(?:[入用服量]|重(?!楼))?|增[加入]?|添加?|另入)"
    rf"|(?P<upto>(?:用量|剂量|[量用])?[至到为]{_DIGIT_NEXT})|(?P<becomes>为)"
)
REST = "(?:其?余|他|它)(?:[药方量味]|药量|药味)?(?:均?(?:不变|同[前上]|[守从依][原上]方?|照前|如前|照旧))"


class Token(NamedTuple):
    """A word of a prescription: its kind, its text as written and made plain, where it stands, and what a dose or a
    verb says, group by group."""

    kind: str
    raw: str
    half: str
    start: int
    end: int
    match: re.Match[str] | None


def _unnamed(pattern: str) -> str:
    """A pattern whose groups have no names, so that it can be used again."""
    return re.sub("[(][?]P<[a-z_]+>", "(?:", pattern)


_BEGINNINGS = re.compile(  # of a pattern, its choices and groups, and what follows what may be missing
    r"(?:^|[|(:>]|\)(?:\?|\{0,\d\}))"
    rf"((?:(?:\[[^\]]*\]|[{HAN}])(?:\?|\{{0,\d\}}))*(?:\[[^\]]*\]|[{HAN}])?)"
)


def _han_first(pattern: str) -> str:
    """The Han characters that a word of a pattern may begin with (and some others): it is not tried at any else."""
    return "".join(sorted(set(re.findall(f"[{HAN}]", "".join(_BEGINNINGS.findall(pattern))))))


def _han_but(special: str) -> str:
    """What stands in a class for all Han characters but these."""
    parts = ""
    for low, high in _BLOCKS:
        start = ord(low)
        for cut in (*(ord(char) for char in sorted(special) if low <= char <= high), ord(high) + 1):
            parts += f"{chr(start)}-{chr(cut - 1)}" if start < cut else ""
            start = cut + 1
    return parts


@cache
def _vocabulary() -> tuple[str, str]:
    """The names of the tables that another word would cut: what they begin with, and their pattern."""
    others = f"{HAN_DOSE}|{HANDLE}|{USE}|{LOOSE}|{EACH}|{VERB}|{PACKETS}"
    words = re.compile(f"(?=[{_han_first(others)}])(?:{others})")
    known = [*herbs(), *forms(), *aliases()]
    counted = {name for name in known if re.search(f"[{DIGITS}十两煎取汁末布]$", name)}
    names = counted | {name + shape for name in counted for shape in "片粉根块"}
    names |= {name for name in known if words.search(name)}
    rests: dict[str, list[str]] = {}
    for name in sorted(names, key=len, reverse=True):
        rests.setdefault(name[0], []).append(re.escape(name[1:]))
    choices = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items())
    return "".join(rests), f"(?:{choices})"


@cache
def _grammar(relative: bool) -> re.Pattern[str]:
    """The one pattern; in a change of a previous prescription with its verbs.

    A name goes on to where another word begins. It is tried first, since most words are names.
    """
    verb = f"|(?P<verb>{VERB})" if relative else ""
    first, vocabulary = _vocabulary()
    stop = f"{HANDLE}|{USE}|{LOOSE}|{EACH}|{HAN_DOSE}|{_unnamed(PACKETS)}|{REST}" + _unnamed(verb)
    stops = _han_first(stop)
    name = f"(?:[{_han_but(first + stops)}]+|{vocabulary}|[{_han_but(stops)}]|(?=[{stops}])(?!{stop}).)+"
    cost = _han_first(_PRICE)
    said = f"(?P<handle>{HANDLE})|(?P<rest>{REST}){verb}"
    words = (
        rf"(?P<aside>{_PRICE}|{_DATE}|{_CODE})"
        rf"|(?P<pack>{_unnamed(PACKETS)})|(?=[{_han_first(said)}])(?:{said})|(?P<use>{USE})"
        rf"|(?P<loose>{LOOSE})|(?P<each>{EACH})"
        rf"|(?P<slip>(?i:(?<![A-Z0-9.])){_SLIP})"
        r"|(?P<comma>(?<![0-9.,])[0-9]{1,2},[0-9]{1,2}\s?(?:(?i:mg|g)|克|钱))"
    )
    doses = (
        rf"(?P<dose>(?P<minus>(?<=[{HAN}])-(?=[0-9]))?(?P<low>{NUMBER})\s{{0,3}}"
        rf"(?:{UNIT}?\s{{0,3}}[-~至到]\s{{0,3}}(?P<high>{NUMBER})\s{{0,3}})?(?P<unit>{UNIT})?)"
        rf"|(?P<han>{HAN_DOSE})"
    )
    return re.compile(
        r"(?P<sign>[,、;。+/])"
        rf"|(?P<name>(?!(?=[{cost}])(?:{_PRICE})){name})"
        r"|(?P<note>\([^()\n]{0,60}\))"
        rf"|(?i:(?=[0-9A-Z.¥￥$|\s×*{stops}{cost}-]))(?:(?!{_PLAIN_DOSE})(?:{words})|{doses})"
        r"|(?P<sep>[\n\t\r|]|\.(?![0-9]))|(?P<colon>:)|(?P<blank>\s+)"
        rf"|(?P<dash>[-~…·*_>#`\"'“”]+)|(?P<junk>[^\W0-9{HAN}]+)|(?P<other>.)",
        re.S,
    )


def plain(text: str) -> str:
    """A text with half-width signs and in simplified script, character for character."""
    return simplified(text.translate(HALF_WIDTH))


def without_unit(number: Token, name: Token) -> tuple[Token, Token]:
    """A dose and the name after it, cut anew so that the unit (15片姜黄24) begins the name."""
    at = number.start + len(number.half) - 1
    cut = number.end - at
    bare = _grammar(False).match("药" + number.half[:-cut], 1)  # only behind a Han character - is a minus
    return (
        Token("dose", number.raw[:-cut], number.half[:-cut], number.start, at, bare),
        name._replace(raw=number.raw[-cut:] + name.raw, half=number.half[-cut:] + name.half, start=at),
    )


def tokens(text: str, half: str, relative: bool = False) -> list[Token]:
    """Cut a text into words; every character belongs to one.

    Args:
        text: as written.
        half: the same made `plain`.
        relative: whether words for changes (去, 加, 改为) are cut from names.
    """
    found = []
    for match in _grammar(relative).finditer(half):
        kind = _KIND.get(match.lastgroup, match.lastgroup)
        start, end = match.span()
        said = match if kind in _SAYING else None
        found.append(Token(kind, text[start:end], half[start:end], start, end, said))
    return found


_KIND = {"sign": "sep"}
_SAYING = frozenset({"dose", "verb"})
