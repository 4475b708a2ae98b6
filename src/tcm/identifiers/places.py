"""Addresses by a grammar of units, roads and house numbers; hospitals, schools and employers by their endings.

A province alone stays (生于江苏), and so do places without a name (当地医院, 农村, 肝区).
"""

import re
from collections.abc import Iterator

from tcm.identifiers.spans import HAN, Span

_PROVINCES = (
    "北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 海南 四川 "
    "贵州 云南 陕西 甘肃 青海 台湾 内蒙古 "
    "广西 西藏 宁夏 新疆 香港 澳门"
).replace(" ", "|")
_PROVINCE = f"(?:{_PROVINCES})(?:省|市|壮族自治区|回族自治区|维吾尔自治区|自治区|特别行政区)?"
_UNIT = "自治[州县旗]|地区|新区|街道办?|社区|小区|[市盟区县旗镇乡村屯]|居委会|大队|开发区"
_NO_UNIT = (
    "农村|城区|市区|郊区|山区|地区|社区|小区|疫区|牧区|校区|辖区|病区|肝区|城市|城镇|乡镇|乡下|乡村|县城|"
    "外地|当地|本市|该|同村|邻村|院"
)
_NOT_IN_NAME = "住在于址到至是为患者系居籍的与及去往因后前从无某诊"
_VAGUE = f"{_NO_UNIT}|{_PROVINCES}|本地|北方|南方|海边|国外|潮湿|高楼|平房|楼房"
_CHAR = f"(?![{_NOT_IN_NAME}]){HAN}"
_CHAIN = f"(?:(?!{_NO_UNIT})(?:{_CHAR}){{1,8}}?(?:{_UNIT}))"
_STRETCH = r"(?:[东南西北中一二三四五六七八九十]|\d{1,2})段"
_ROAD = (
    f"(?:(?:{_CHAR}|\\d){{1,8}}?(?:大街|大道|胡同|公路|里弄|花园|公寓|大厦|广场|新村|家园|小区|花苑|"
    f"[路街巷道弄里苑坊庄湾])(?:[东南西北中]段?|{_STRETCH})?)"
)
_NUMBER = r"[A-Za-z]?[0-9一二三四五六七八九十]{1,5}[A-Za-z]?"
_HOUSE = rf"(?:\s?{_NUMBER}(?:号院|号楼|大院|支弄|单元|[号栋幢座室层楼弄组队门户院房]|[-－—](?=\d))(?:{HAN}(?=\d))?)"
_TAIL = rf"(?:{_ROAD}?{_HOUSE}+(?:\d{{1,5}}室?)?)"
_END = r"(?=[，,。；;\s、）)]|人|$)"

_LABELS = (
    r"(?:(?:家庭|户籍|通讯|联系|居住|常住|现|详细|邮寄|工作|单位)?(?:住址|地址|居住地址?|住所)|户籍(?:地|所在地)?|"
    r"户口(?:所在地)?|籍贯|出生地|原籍|祖籍|"
    r"家住|现住|居住[于在]|现居[于住]?|久居|暂住[于在]?|定居[于在]?|居于|住[在于]|家在|来自|出?生于|"
    r"(?:快递|邮寄|[邮寄])[至到往]|(?<![入居暂常])住(?!院|宿|手))"
)
_LABEL_STARTS = "[家户通联居常现详邮工单住地籍原祖久暂定来出生快寄]"
_FREE_LABEL = r"(?:(?:家庭|户籍|通讯|联系|居住|常住|现|详细|邮寄)?(?:住址|地址|居住地址?)|户籍地址)\s*[:：]\s*"

ADDRESSES = re.compile(
    rf"(?={_LABEL_STARTS}){_FREE_LABEL}(?P<free>[^，,。；;\n]{{3,40}})"
    rf"|"
    rf"(?=[北天上重河山辽吉黑江浙安福湖广海四贵云陕甘青台内西宁新香澳])(?:(?P<led>{_PROVINCE}{_CHAIN}+{_ROAD}?{_TAIL}?)"
    rf"|(?P<led_road>{_PROVINCE}{_ROAD}{_HOUSE}+(?:\d{{1,5}}室?)?))"
    rf"|(?={_LABEL_STARTS}){_LABELS}\s*[:：为是在]?\s*(?P<labelled>{_CHAIN}+(?:{_TAIL}|{_ROAD}{_END})?"
    rf"|{_ROAD}{_HOUSE}+(?:\d{{1,5}}室?)?|{_ROAD}{_END})"
    rf"|(?={_LABEL_STARTS})(?:籍贯|祖籍|原籍|户籍|居住于|现居于?|"
    rf"家住)\s*[:：为是]?\s*(?P<town>(?:{_PROVINCE})?(?!{_VAGUE}){_CHAR}{{2,3}}(?=[，,。；;\s]|$))"
    rf"|(?P<people>(?:{_PROVINCES})省?(?!{_VAGUE}){_CHAR}{{2,3}}(?=人[，,。；;\s氏]|人$))"
)
_HAS_ROAD = re.compile(rf"(?:大街|大道|胡同|[路街巷弄])(?:{_STRETCH})?\s?{_NUMBER}(?:号|弄)")
ROADS = re.compile(
    rf"(?:{_CHAIN})*(?:{_CHAR}){{1,6}}(?:大街|大道|胡同|[路街巷弄])(?:{_STRETCH})?\s?{_NUMBER}(?:号|弄){_HOUSE}*"
    r"(?:\d{1,5}室?)?"
)
"""A road with a house number, without any word before it."""

_CLINIC = (
    "医院|卫生院|卫生所|卫生室|卫生服务中心|卫生服务站|诊所|医馆|国医堂|中医馆|门诊部|体检中心|保健院|疗养院|"
    "医学中心|医疗中心|康复中心|医科大学|"
    "中医药大学|中医学院|医学院|疾控中心|养老院|福利院|敬老院|防治院|防治所|急救中心|[一二三四五六]院|附院|附[一二]院"
)
_STOP = (
    "就诊|治疗|诊断|检查|住院|服药|当地|外地|外院|多家|某|曾|遂|患者|前往|附近|上级|给予|病情|门诊(?!部)|其他|"
    "各大|知名|我院|本院|[的了后]|及|于|至|到|"
    "转入|转院|求治|求诊|为|因|未|无|已|当即|即|[多几各]处|[据住送]|最近|阵发|各地|等地|[该各]|担任|家属|自行|"
    "再次|随诊|定期|急诊|经(?!络|开|济|典)"
)
_WORD = f"(?!{_STOP}){HAN}"
_FIRST_WORD = (
    r"(?![日年月号来查又在于至到赴去往由经])(?=[^，,。；;、：:\s]{2,24}?(?:[院所室站馆堂部行]|中心|大学|公司))"
)
_LEFT = r"(?:^|(?<=[，,。；;、:：（(\s\d日月年号〕》”\"在于至到赴去往由经从诊转因住请自来]))"
_COMPANY = (
    "有限责任公司|股份有限公司|有限公司|公司|集团|大学|学院|中学|小学|幼儿园|银行|研究所|研究院|出版社|"
    "报社|事务所|设计院"
)
_WORKPLACE = _COMPANY + (
    "|派出所|法院|检察院|酒店|宾馆|饭店|厂|局|学校|农场|煤矿|委员会|超市|商场|商店|工地|部队|机关|中心|所|站|社|园|店|"
    "[一二三四五六七八九十]中"
)
_AT = "上班|工作|任职|任教|教书|读书|就读|上学|打工|务工|做工|退休"

ORGANISATIONS = re.compile(
    rf"(?:工作单位|就职单位|单位名称|单位|学校)\s*[:：]\s*(?P<unit>[^，,。；;\n（(]{{2,30}})"
    rf"|(?:工作于|就职于|任职于|供职于|受雇于|就读于|毕业于|任教于|服务于)(?P<employed>(?:{HAN}|"
    rf"[A-Za-z0-9]){{2,20}}?(?:{_WORKPLACE})(?:{HAN}{{0,6}}?(?:{_WORKPLACE}))*)"
    rf"|在(?P<at>(?:{_WORD}|[A-Za-z0-9]){{2,20}}?(?:{_WORKPLACE})(?:{HAN}{{0,6}}?(?:{_WORKPLACE}))*)(?={_AT})"
    rf"|{_LEFT}{_FIRST_WORD}(?P<clinic>(?:(?:{_WORD}|[A-Za-z]){{2,18}}?|"
    rf"\d{{3}})(?:{_CLINIC})(?:(?:{_WORD}){{0,8}}?(?:{_CLINIC}))*)"
    rf"|{_LEFT}{_FIRST_WORD}(?P<company>(?:{_WORD}|[A-Za-z]){{2,16}}?(?:有限责任公司|股份有限公司|有限公司|"
    rf"集团公司|大学|银行))(?!生)"
)  # fmt: skip
_HAS_ORGANISATION = re.compile(
    "[^住]院|诊所|医馆|中心|公司|集团|大学|银行|单位|学校|[就任供受]职|工作于|毕业于|"
    "任教|就读于|受雇|服务于|卫生|门诊部|在.{2,20}?(?:上班|工作|任职|教书|读书|就读|上学|打工|务工|做工|退休)"
)
_GENERIC = re.compile(
    "(?:(?:当地|外地|附近|当时|上级|下级|三甲|三级|二级|一级|甲等|乙等|综合|专科|中西|结合|中医|西医|儿童|妇幼|"
    "妇产|人民|中心|肿瘤|精神|私人|个体|民营|公立|"
    "著名|其它|社区|街道|农村|家|所|间|几|数|两|多|一|我|本|该|外|县|市|省|区|镇|乡|村|各|大|小|中|西|去|在|校|"
    "国营|老年|名牌|重点|普通|读|上|全日制|"
    "口腔|骨科|眼科|皮肤|胸科|医科|医药|自家|美容|康复|私立|地方|基层|部队|请|往|到|由|经|转|赴|自|诊|住|因))*"
    f"(?:{_CLINIC}|{_WORKPLACE})*"
)


def places(text: str) -> Iterator[Span]:
    """Addresses and organisations in a text in half-width letters and digits."""
    for match in ADDRESSES.finditer(text):
        yield Span(*match.span(match.lastgroup), "address")
    if _HAS_ROAD.search(text):
        yield from (Span(*match.span(), "address") for match in ROADS.finditer(text))
    if not _HAS_ORGANISATION.search(text):
        return
    for match in ORGANISATIONS.finditer(text):
        if not _GENERIC.fullmatch(match[match.lastgroup]):
            yield Span(*match.span(match.lastgroup), "organisation")
