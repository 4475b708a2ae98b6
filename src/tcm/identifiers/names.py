"""Names of persons: a surname and one or two characters, where the words around say that a person is named.

A surname alone proves nothing in a medical text (黄芪, 高热, 白带, 于某院). So a name is only taken where it is
introduced (姓名, 患者, 其女, 主治医师) or followed (，女，45岁; 主任医师; 某; 女士), and never where a word of the
knowledge tables begins: a herb, a formula, a symptom, a disease.

Names of peoples without surnames of this kind (阿依古丽, 扎西·多吉) are known by a dot, or by the characters that
write their sounds; a child's pet name (豆豆) by its doubling.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from tcm import knowledge
from tcm.identifiers.spans import HAN, Span
from tcm.knowledge.rows import Row, read_rows


def _column(rows: Iterable[Row], column: str) -> list[str]:
    return [row.text(column, required=True) for row in rows]


DATA = resources.files(__package__)
SURNAMES = list(read_rows(DATA, "surnames.tsv", ("surname", "use", "source")))
"""Surnames; those whose use is ``beginning`` are oftener another word (于, 和): they count where a clause begins."""
ORDINARY = frozenset(_column(read_rows(DATA, "ordinary_words.tsv", ("begins",)), "begins"))
"""Ordinary words that begin like a name, by two characters. Source: our choice, from everyday records."""

_SAFE = "".join(s for s in _column((r for r in SURNAMES if r.text("use") == "in context"), "surname") if len(s) == 1)
_BEGINNING = "".join(_column((row for row in SURNAMES if row.text("use") == "beginning"), "surname"))
_COMPOUND = [s for s in _column(SURNAMES, "surname") if len(s) > 1]
SINGLE = _SAFE + _BEGINNING
_NOT_GIVEN = (
    "的了是在有不无与或及因其由被把从到对而且已未曾这那么患者病痛症疗药服诊某痰热寒虚湿瘀血"
    "脉舌苔肿疸疹癌炎胀咳喘吐泻便尿汗眠食岁月日年天次个男女"
)
_ONE = f"(?![{_NOT_GIVEN}]){HAN}"
_TWO = f"(?=[{''.join(sorted({name[0] for name in _COMPOUND}))}])(?:{'|'.join(_COMPOUND)})"
_SURNAME = f"(?:{_TWO}|[{_SAFE}])"
_NAME = f"(?:{_SURNAME}(?:{_ONE}){{1,2}}?)"
_ANY_NAME = f"(?:(?:{_TWO}|[{_SAFE}{_BEGINNING}])(?:{_ONE}){{1,2}}?)"
_LATIN = r"[A-Z][a-z]+(?:[ ·-][A-Z][a-z]+){1,3}"
DOT = "[·•・‧∙]"
_DOTTED = f"{HAN}{{2,6}}(?:{DOT}{HAN}{{2,6}}?)+"
_STOP = r"[\s，,。.；;、:：（(）)/\]】〕〔“”\"'-]|$"
_PERSON = r"[\s，,、；;（(]{0,2}(?:男|女|性别|年\d|现年|\d{1,3}\s*周?岁|汉族|[\u4e00-\u9fff]{1,3}族[，,])"
_SEX_OR_AGE = r"(?:[男女]性?|\d{1,3}\s*周?岁)"
OF_PEOPLE = rf"[\s，,、；;（(]{{1,2}}(?:{_SEX_OR_AGE}[\s，,、；;]{{1,2}}){{0,2}}(?![汉家民种氏同]){HAN}{{1,4}}族"
"""What follows a name: perhaps sex and age, then a people other than the Han."""
_SOUNDS = (
    "阿依古丽娜尔买提艾山热汗吐逊合不都曼卜杜拉玉素甫努帕夏木祖皮亚孜宛麦明塔森卡德库班穆罕默托肉沙吾伊力哈再迪拜米早"
    "姆旦巴斯美日姑茹仙妮萨扎西卓玛次仁多吉旺堆增丹尼达瓦索朗格桑白洛央金曲珍青贡布平措顿珠边普强加才让嘉益群培罗仓决嘎"
    "赤列坚赞久晋琼土登其杰宗拥泽降特乌云琪图雅呼和朝鲁苏勒宝音敖额孟牧兰通满胡查乐叶江肯赛克别安马阔什恩惹伍嫫孙凯里"
    "来乎荪喀忠尕那羊龙欧追昂松高娃娅琴坦莎楞毕道钦敦却腾朱波"
)
_SOUND = f"[{_SOUNDS}]"
_BY_SOUND = (
    rf"(?![不都多日皮肉久增高来]|热[不多]){_SOUND}{{2}}"
    rf"(?:{_SOUND}{{1,4}}(?=[\s，,、；;（(])(?={_PERSON})|(?={OF_PEOPLE}))"
)
"""Source: our choice, from common Uyghur, Kazakh, Tibetan and Mongolian given names; two characters need a people."""
_DOES = (
    "自诉|自述|主诉|诉|述|代诉|代述|因|来诊|来院|来我|前来|今|现|就诊|初诊|复诊|查房|会诊|接诊|诊治|开具|建议|"
    "医[师生]|主任|教授|大夫|护[士师]|签|电话|"
    "手机|陪|代|送|带|说|称|指导|考虑|认为|处方|辨证|门诊|要求|同意|等|的|与|和|及|于|在|表示|反映|告知|同来|伴|"
    "照[顾料护]|介绍|推荐|来电|联系|体健|健在|已故|去世|同住|同居|共同生活|一起[居生]|之[父母妻夫子女兄弟姐妹]|\\d|男|女"
)
_KIN = (
    "父亲|母亲|爸爸|妈妈|妻子|丈夫|爱人|老伴|儿子|女儿|弟弟|姐姐|妹妹|哥哥|祖父|祖母|外祖父|外祖母|外婆|外公|奶奶|"
    "爷爷|儿媳妇?|女婿|"
    "孙子|孙女|外孙女?|侄子|侄女|外甥女?|家属|家人|家长|配偶|陪人|陪护|监护人|保姆|护工|同事|邻居|朋友|舅舅|姑姑|"
    "叔叔|男友|女友"
)
_TITLE = (
    "(?:副?主任|主治|住院|执业|中|西|助理)?医[师生]|大夫|(?:副)?教授|(?:副)?主任|护士长|护士|护师|院长(?!期)|"
    "(?:副)?所长|院士|博士|国医大师|药师|技师"
)
_POLITE = (
    "先生|女士|小姐|太太|同志|老师|阿姨|大爷|大妈|大娘|大叔|奶奶|爷爷|师傅|老人|老太|夫人|[哥姐叔姨伯](?=[陪代诉，,说])"
)
_LABEL = (
    r"(?:患者|病人|病员|家属|联系人|产妇|患儿|新生儿|父亲?|母亲?|曾用|真实)?(?:姓\s*名|名\s*字)|联系人|监护人|"
    r"签名|签字|紧急联系|"
    r"Patient(?: name)?|Name"
)
_DOCTOR = (
    r"(?:主治|经治|主任|副主任|住院|接诊|管床|首诊|上级|责任|值班|坐诊|开方|处方|记录|审核|床位|手术|指导|带教|"
    r"申请|报告|检查|收治)"
    r"(?:医[师生]|大夫|护[士师]|者|人|教授|老师|主任|专家)|医[师生]|护[士师]|大夫|教授|主刀|术者|记录者|调配|核对|"
    r"药师"
)
_AFTER = f"{_STOP}|{_DOES}"
_PATIENT = "患者|病人|病员|患儿|产妇|孕妇|伤者|受检者"
_MARKED = "[×＊*○〇✕△]{1,3}|[xX]{1,2}(?![A-Za-z])"
_NOT_DOUBLED = "爸妈爷奶哥姐弟妹叔姑舅伯婶姥公婆太宝娃频常时阵渐仅每刚偏屡往足将才整恰年天日月夜次个种处微稍略"
"""Doubled, they are kin (爷爷), a baby (宝宝) or an adverb (频频)."""
_NO_PERSON = (
    "院|医|西医|卫生|[三二一]甲|区|市|省|县|日|年|月|时|地|诊|种|些|个|位|处|学|公司|厂|村|镇|家|店|科|"
    "单|药|方|病|晚|天|部"
)

INTRODUCED = re.compile(
    r"(?=[\d育姓名小乳昵联监签紧真曾家患病新产父母Pp孕伤受其妈爸妻丈爱老儿女弟姐妹哥祖外婆公奶爷孙侄配陪保护同邻朋舅姑叔男主经副住接管首上责值坐开处记审床手指带申报检收医大教术调核药我叫本人N])(?:"
    rf"(?:{_LABEL})\s*[:：\s为是叫]\s*(?P<labelled>{_LATIN}|{_DOTTED}|{_SURNAME}(?:某+|{_MARKED})"
    rf"|{_ANY_NAME}(?={_AFTER}|性别|年龄)|{HAN}{{2,4}}(?={_STOP}|性别))"
    rf"|(?:姓\s*名\s*[:：\s]|{_PATIENT}[:：]?)\s*(?P<spaced>[{_SAFE}]\s{{1,3}}{_ONE}(?=\s*(?:{_STOP})))"
    rf"|姓名(?P<glued>{_ANY_NAME}(?={_STOP}|性别|年龄))"
    rf"|(?:[小乳]名|昵称)\s*[:：为是叫]?\s*(?P<nick>{HAN}{{2}}(?={_STOP}))"
    rf"|(?:{_PATIENT})[:：，,\s]{{0,2}}(?P<patient>{_DOTTED}(?={_PERSON}|{_AFTER})|{_LATIN}|{_ANY_NAME}(?={_PERSON})|"
    rf"{_BY_SOUND}|"
    rf"{_NAME}(?=\s*(?:{_DOES})|[（(])"
    rf"|[老小阿][{_SAFE}](?={_PERSON}))"
    rf"|(?:{_PATIENT}|患者本人|\d{{1,3}}床|我是)[:：]?\s*(?P<alone>{_NAME}(?={_STOP}))"
    rf"|(?:其[父母妻夫子女兄弟姐妹媳婿孙]|育有?[一二两三]?[子女]|{_KIN})(?:为|是|名叫|叫|[:：（(\s])?\s*(?P<kin>"
    rf"(?!孙[子辈](?:{_DOES})){_NAME}(?={_AFTER})|{_DOTTED}(?={_AFTER}))"
    rf"|患儿[:：，,\s]{{0,2}}(?P<child>(?![{_NOT_DOUBLED}])(?P<half>{HAN})(?P=half)(?={_PERSON})|"
    rf"[小阿](?![{_NOT_GIVEN}儿腹腿溲学产睡]){HAN}(?={_PERSON}))"
    rf"|(?:{_DOCTOR})\s*(?:[:：/]\s*(?P<doctor>{_ANY_NAME}(?={_AFTER})|{_LATIN})|"
    rf"(?P<doctor_glued>{_NAME}(?={_AFTER})))"
    rf"|(?:我叫|名叫|叫做|本名|人称)(?P<called>{_NAME}(?={_AFTER})))"
)
"""A name after the word that introduces it."""
BEGINNING = re.compile(
    rf"(?:^|(?<=[。；;\n！!？?，,：:\s、（(”\"】〕]))(?:(?P<person>{_ANY_NAME}(?={_PERSON}|\s*[（(]\s*[男女]|"
    rf"[，,：:\s（(]{{0,2}}(?:1[3-9]\d[\d -]{{8}}|身份证|手机))"
    rf"|[老小阿][{_SAFE}](?={_PERSON}|来诊|陪同|代诉|自诉)|(?!其|{_PATIENT}|{_KIN}){_DOTTED}(?={_PERSON})|{_BY_SOUND})"
    rf"|(?P<titled>{_ANY_NAME}(?={_TITLE}|{_POLITE})|[{_BEGINNING}](?={_TITLE}|{_POLITE})))"
)
"""A name where a clause begins."""
HIDDEN = re.compile(
    rf"(?:(?<!任){_SURNAME}(?:某{{1,3}}|{_MARKED})|(?:(?<=^)|(?<=[，。；;\n])|"
    rf"(?<=患者))[{_BEGINNING}]某{{1,2}}"
    rf"|(?:^|(?<=[。；;\n！!？?，,：:、（(”\"】〕])|(?<=患者)|(?<=[。；;，,：:者]\s))"
    rf"(?:{_SURNAME}|[{_BEGINNING}](?=\s+某{{1,2}}(?={_PERSON})))\s{{1,3}}某{{1,2}})(?!{_NO_PERSON})"
)
"""A name half hidden: 王某, 李××, 周 某."""
_WHOLE_NAME = re.compile(rf"(?<![任如为奈])(?!(?<=[主责担信])任){_SURNAME}(?:{_ONE}){{0,2}}(?<!主)$")
"""A name before a title; what stands before the name is not known, so it is looked for from the title back."""
_TITLES = re.compile(f"{_TITLE}|{_POLITE}")
_HIDING = re.compile("[×＊*○〇✕△xX]")
_NO_NAME = re.compile(
    "不详|保密|未知|未填|同上|如下|略|无|女儿|儿子|本人|丈夫|妻子|父亲|母亲|家属|患者|已签|见下|拒绝|匿名|性别|年龄"
)


def names(text: str) -> Iterator[Span]:
    """Names of persons in a text in half-width letters and digits."""
    if "某" in text or _HIDING.search(text):
        yield from (Span(*match.span(), "name") for match in HIDDEN.finditer(text))
    for pattern in (INTRODUCED, BEGINNING):
        at = 0
        while match := pattern.search(text, at):
            group = match.lastgroup
            first, end = match.span(group)
            certain = group in ("labelled", "glued", "nick")
            if not _NO_NAME.match(text, first) if certain else not is_word(text, first):
                yield Span(first, end, "name")
                at = end
            else:
                at = max(match.start() + 1, first)  # no name here: another may begin inside
    for title in _TITLES.finditer(text):
        yield from _before(text, title.start())


def _before(text: str, end: int) -> Iterator[Span]:
    """The longest name that ends where a title begins, if one does."""
    for first in range(max(0, end - 4), end):
        if _WHOLE_NAME.match(text, first, end) and not is_word(text, first):
            yield Span(first, end, "name")
            return


def mentions(text: str, known: set[str]) -> Iterator[Span]:
    """Places where names that were found elsewhere in a record stand again."""
    for name in known:
        first = text.find(name)
        while first >= 0:
            if not is_word(text, first):
                yield Span(first, first + len(name), "name")
            first = text.find(name, first + len(name))


def is_word(text: str, first: int) -> bool:
    """Whether a word that is no name begins at a place: an ordinary one, or one of the knowledge tables."""
    start = text[first : first + 2]
    return start in ORDINARY or text.startswith(_medical_words().get(start, ()), first)


@cache
def _medical_words() -> dict[str, tuple[str, ...]]:
    """First two characters -> words of the knowledge tables."""
    words = {*knowledge.herbs(), *knowledge.forms(), *knowledge.aliases(), *knowledge.formulas()}
    words |= {alias for formula in knowledge.formulas().values() for alias in formula.aliases}
    words |= {w for name, others in knowledge.symptom_synonyms().items() for w in (name, *others)}
    for p in knowledge.patterns():
        words |= {p.disease, p.syndrome, *p.key_symptoms, *p.other_symptoms}
    grouped: dict[str, list[str]] = {}
    for word in words:
        if len(word) > 1:
            grouped.setdefault(word[:2], []).append(word)
    return {start: tuple(some) for start, some in grouped.items()}
