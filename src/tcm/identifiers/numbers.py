"""Numbers and contacts: identity and record numbers, telephones, e-mail, accounts, and ages over 89."""

import re
from collections.abc import Iterator

from tcm.identifiers.spans import HAN, Span, found

_IS = r"(?:号码|号|ID)?\s*(?:[:：是为]|号码)?\s*"
_CODE = r"(?=[A-Za-z-]{0,6}\d)[A-Za-z0-9]+(?:[- ]?[A-Za-z0-9]+)*"
_COUNTRY = r"(?:(?:\+|00)86[- ]?)?"
_PAPERS = "护照|通行证|军官证|士兵证|驾驶证|驾照|回乡证|居留证|出生证"
_ACCOUNTS = "微信|weixin|wechat|vx|wx|企鹅|QQ|抖音|微博|快手|小红书|支付宝"
_CALL = "电话|手机|座机|固话|联系方式|致电|拨打|热线|传真|tel|phone|mobile|call"
_COUNTED = (
    "住院|门诊|病历|病案|就诊|登记|医保|社保|诊疗|健康|影像|X线|CT|MRI?|检查|检验|标本|条形?码|处方|床位?|病床|病区|病理|超声|放射|"
    "流水|档案|挂号|预约|发票|案|工|学|诊察|银行|保险|会员|体检|采血|化验|申请|报告"
)
_PLATE = "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z]·?[A-HJ-NP-Z0-9]{5,6}"

PATTERNS = (
    ("e-mail", r"[A-Za-z0-9._%+-]+\s?@\s?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    ("account", r"(?:https?://|www\.)[^\s，。；、（）\u4e00-\u9fff]+"),
    ("account", rf"(?ai:(?:{_ACCOUNTS})(?:号码|号|账号|账户|id|群)?\s*[:：是为]?\s*([A-Za-z0-9][\w.@-]{{4,}}))"),
    ("identity number", r"(?<![\dA-Za-z])\d{6}[- ]?(?:1[89]|20)\d{2}[- ]?\d{4}[- ]?\d{3}[\dXx](?!\d)"),
    ("identity number", r"(?<![\dA-Za-z])\d{17}[\dXx](?!\d)"),
    ("identity number", rf"(?:身份证|证件|社会保障|社保|公民身份)[卡证]?{_IS}(\d{{6}}[\d Xx*-]{{5,}})"),
    ("identity number", rf"(?:{_PAPERS}){_IS}((?:[A-Za-z]|{HAN})?\s?[A-Za-z]?\d{{5,}}[A-Za-z0-9]*)"),
    ("identity number", r"(?:身份证|证件|手机|电话|卡)号?码?尾号\s*[:：是为]?\s*(\d{3,6}[\dXx]?)"),
    ("telephone number", rf"(?<![\d.]){_COUNTRY}1[3-9]\d[- ]?(?:\d{{4}}|[*＊xX]{{4}})[- ]?\d{{4}}(?!\d)"),
    (
        "telephone number",
        rf"(?<![\d.]){_COUNTRY}[(（]?0[1-9]\d{{1,2}}[)）]?[- －]?[2-8]\d{{6,7}}(?:[- 转]+\d{{1,6}})?(?!\d)",
    ),
    ("telephone number", r"(?<!\d)[48]00[- ]\d{3,4}[- ]\d{3,4}(?!\d)"),
    (
        "telephone number",
        rf"(?i:(?:{_CALL})(?:号码|号)?\.?\s*[:：是为]?\s*"
        r"((?:\+?\d[\d\s()（）-]{5,}\d|[零〇○一二两三四五六七八九幺]{7,12})(?:转\d+)?))",
    ),
    (
        "record number",
        rf"(?i:(?:(?:{_COUNTED}){HAN}{{0,3}}?(?:号码|号|编号|编码|ID|卡)|编号|ID号?|No\.?|Nr\.?|MRN)"
        rf"\s*(?:[:：#是为]|号码?)?\s*({_CODE})(?<=[A-Za-z0-9]{{4}}))",
    ),
    ("record number", r"(?:邮编|邮政编码)\s*[:：]?\s*(\d{6})(?!\d)"),
    ("record number", r"(?<![\d.])\d{15,19}(?![\d.])"),
    ("record number", rf"(?:(?<![A-Za-z\u4e00-\u9fff])|(?<=车牌)|(?<=车牌号)){_PLATE}(?![A-Za-z0-9])"),
)
"""Kind and pattern; a pattern with a group masks the group alone. Source: our choice, measured by
`tests/benchmarks/measure_identifiers.py`."""
AGES = (
    r"(?<![\d.])(?:9\d|1[01]\d|120)(?:\.\d+)?(?=\s*周?岁)",
    "(?<![一二三四五六七八九十])(?:九十[一二三四五六七八九]?|(?<!半)百)(?=余?周?岁(?!以内))",
    r"(?:年龄|现年)\s*[:：]?\s*((?:9\d|1[01]\d|120)(?:\.\d+)?(?![\d.+±/%~-]|\s*(?:[天日月周时分岁个]|小时))"
    "|九十[一二三四五六七八九]?(?![天日月周岁多余个]))",
)
"""With 岁 after the number, or 年龄 before it."""
_COMPILED = [(kind, re.compile(pattern)) for kind, pattern in PATTERNS]
_COMPILED_AGES = [re.compile(pattern) for pattern in AGES]
_HAS_NUMBER = re.compile(r"\d[\dA-Za-z \-()（）X*]{2,}\d|@|[零〇○一二两三四五六七八九幺]{7}|www|://|[A-Za-z][\w-]{4}")
_HAS_AGE = re.compile(r"9\d|1[012]\d|九十|百")


def numbers(text: str) -> Iterator[Span]:
    """Numbers and contacts in a text in half-width letters and digits."""
    if _HAS_NUMBER.search(text):
        for kind, pattern in _COMPILED:
            yield from found(pattern, text, kind)
    if ("岁" in text or "年" in text) and _HAS_AGE.search(text):
        for pattern in _COMPILED_AGES:
            yield from found(pattern, text, "age over 89")
