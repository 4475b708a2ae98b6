"""Read a model's free text into a typed answer, and write an answer in the study's layout.

``中医诊断：不寐。证型：肝郁脾虚。治法：疏肝健脾。方剂：归脾汤加减。处方：柴胡10g，龙骨30g（先煎），大枣5枚。7剂，水煎服。``

The layout is that of arXiv 2411.00897 with 证型 added. `parse(write(answer)).answer == answer` holds where text fields
hold no 。, no line break, no field label with a colon and no punctuation at their ends, a formula no herb with a dose,
a usage (where 。 is fine) no number of packets at its ends, and herbs are names of at most 12 Han characters that end
in no dose, handling word or 各, with doses from 1e-9 to 1e9 and notes of at most 60 characters without brackets.
"""

import re
from dataclasses import dataclass

from tcm.cases import Answer
from tcm.prescriptions.notation import HAN, has_doses, ignorable, read_prescription, read_usage, write_items

MAX_CHARS = 20_000
"""Text beyond this is not read, and reported; a full answer has 300 characters."""

LABELS = {
    "disease": "中医诊断 诊断 辨病 病名 疾病 疾病诊断 中医病名 中医疾病 中医疾病诊断",
    "syndrome": "证型 辨证 证候 证名 中医证型 中医辨证 辨证分型 证候诊断 中医证候 证型诊断 辨证结果",
    "treatment_principle": "治法 治则 治则治法 治法治则 治疗原则 治疗法则 立法",
    "formula": "方剂 方药 选方 处方名 方名 主方 代表方 方剂名称 推荐方剂 选方用药",
    "prescription": "处方 药物 药物组成 用药 组成 中药处方 处方用药 方药组成 方剂组成 药味 具体用药 处方组成",
    "usage": "用法 服法 用法用量 煎服法 服用方法 煎服方法 煎煮法 剂数",
    "": "西医诊断 鉴别诊断 病机 病因病机 病机分析 辨证分析 证候分析 辨证要点 分析 方解 方义 医嘱 按语 注意事项 禁忌 "
    "调护 加减 随症加减 随证加减 解释 理由 说明 备注 参考 患者 主诉 现病史 既往史 舌 脉 舌象 脉象 舌脉",
}
"""Labels that open a field; the first is the one we write. Labels under "" open text that belongs to no field."""

REQUIRED = ("disease", "syndrome", "treatment_principle", "formula", "prescription")

_FIELD_OF = {label: name for name, labels in LABELS.items() for label in labels.split()}
_OWN = {labels.split()[0] for name, labels in LABELS.items() if name}
_ANY_LABEL = "|".join(sorted(_FIELD_OF, key=len, reverse=True))
_LABEL = re.compile(
    rf"(?m:^[#*\d.、 \t]{{0,8}}(?P<alone>{_ANY_LABEL})[* \t]{{0,4}}$)"
    rf"|(?:【\s{{0,3}}(?P<boxed>{_ANY_LABEL})\s{{0,3}}】|(?P<plain>{_ANY_LABEL})[】\]*\"'”’\s]{{0,6}}(?=[:：]))[\s*]{{0,3}}[:：]?"
)
_WORD_BEFORE = re.compile(rf"[{HAN}A-Za-z0-9]")
_EDGE = " \t\r\n。；;，,、.：:*#_`【】[](（\"“”'{}|-—~>"
_LIST_NUMBER = re.compile(r"[；;，,。\s][（(]?[0-9]{1,2}[)）]?$")
_LEADING_FORMULA = re.compile(
    r"\s{0,9}([^0-9，,、；;。：:\n(（]{1,24}(?:[汤散丸饮煎丹膏方剂]|加减|加味|化裁))[\s*]{0,3}[：:。\n]"
)


@dataclass(frozen=True)
class ParsedAnswer:
    """An answer as read, and the pieces of text that could not be read or repeat a field."""

    answer: Answer
    unread: tuple[str, ...]


def _sections(text: str) -> list[tuple[str, str, str]]:
    """Cut a text at its field labels into (field, label, content); what stands before the first label has field "".

    Our own labels open a field anywhere; others only where no word runs into them (in 西医诊断 the label is not 诊断).
    """
    sections, field, label, start = [], "", "", 0
    for match in _LABEL.finditer(text):
        name = match["alone"] or match["boxed"] or match["plain"]
        if match["plain"] and name not in _OWN and _WORD_BEFORE.match(text[max(match.start() - 1, 0) : match.start()]):
            continue
        sections.append((field, label, text[start : match.start()]))
        field, label, start = _FIELD_OF[name], name, match.end()
    return [*sections, (field, label, text[start:])]


def _value(content: str) -> tuple[str, str]:
    """The value of a text field and what follows it: a value ends at the first 。 or line break."""
    content = content.strip(_EDGE)
    end = re.search("[。\n]", content)
    value, rest = (content[: end.start()], content[end.end() :]) if end else (content, "")
    return _LIST_NUMBER.sub("", value).rstrip(_EDGE), rest.strip(_EDGE)


def _split_formula(content: str) -> tuple[str, str]:
    """A field that opens with a formula and goes on with its herbs → (formula, herbs); else nothing and the content."""
    match = _LEADING_FORMULA.match(content)
    if match and any(item.dose for item in read_prescription(content[match.end() :]).items):
        return match[1].strip(_EDGE), content[match.end() :]
    return "", content


class _Fields:
    """Field values while they are read: the first that is not empty wins, all others are reported."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.unread: list[str] = []

    def put(self, field: str, value: object, written: str) -> None:
        """Keep a value, or report the text where the field has one already."""
        if not value:
            return
        if field in self.values:
            self.unread.append(written.strip())
        else:
            self.values[field] = value

    def text(self, field: str, label: str, content: str) -> None:
        """A field that holds one text."""
        value, rest = _value(content)
        self.put(field, value, f"{label}：{value}")
        self.unread.append(rest)

    def formula(self, label: str, content: str) -> None:
        """A formula; many textbooks go on with its herbs in the same field (方药：归脾汤加减。黄芪15g …)."""
        head = re.match(r"[^，,：:。\n(（]{0,40}", content.strip(_EDGE)).group()
        if not has_doses(content):
            self.text("formula", label, content)
        elif has_doses(head):
            self.prescription(label, content)
        else:
            self.put("formula", head.strip(_EDGE), f"{label}：{head}")
            self.prescription(label, content.strip(_EDGE)[len(head) :].lstrip("（(").rstrip("。）) \n"))

    def prescription(self, label: str, content: str) -> None:
        """Herbs, packets and usage, perhaps with the formula before them."""
        formula, content = _split_formula(content)
        read = read_prescription(content)
        if "prescription" in self.values and read.items:
            self.unread.append(f"{label}：{content.strip()}")
            return
        self.put("formula", formula, formula)
        self.put("prescription", read.items, "")
        self.put("packets", read.packets, f"{read.packets}剂")
        self.put("usage", read.usage, read.usage)
        self.unread.extend(read.unread)

    def usage(self, content: str) -> None:
        """Packets and usage."""
        packets, usage, rest = read_usage(content)
        self.put("packets", packets, f"{packets}剂")
        self.put("usage", usage, usage)
        self.unread.append(rest)


def parse(text: str) -> ParsedAnswer:
    """Read an answer from any text; never raises.

    Fields may come in any order, under any of `LABELS`, in full- or half-width punctuation, and be missing. Of a field
    that occurs twice the first is kept. A text without any label is read as a prescription where it has doses.

    Returns:
        The answer (missing fields empty) and everything that was not read, in the order of the text.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    fields = _Fields()
    sections = _sections(text[:MAX_CHARS])
    for field, label, content in sections:
        if field == "formula":
            fields.formula(label, content)
        elif field == "prescription" or (len(sections) == 1 and has_doses(content)):
            fields.prescription(label, content)
        elif field == "usage":
            fields.usage(content)
        elif field:
            fields.text(field, label, content)
        else:
            fields.unread.append(f"{label}：{content.strip()}" if label else content.strip())
    fields.unread.append(text[MAX_CHARS:])
    return ParsedAnswer(Answer(**fields.values), tuple(piece for piece in fields.unread if not ignorable(piece)))


def write(answer: Answer) -> str:
    """Write an answer in the layout of the study; missing fields are left out."""
    values = ((LABELS[name].split()[0], getattr(answer, name)) for name in REQUIRED[:4])
    written = "".join(f"{label}：{value}。" for label, value in values if value)
    end = "，".join(part for part in (f"{answer.packets}剂" if answer.packets else "", answer.usage) if part)
    if not answer.prescription:
        return written + (end and f"用法：{end}。")
    written += f"处方：{write_items(answer.prescription)}。"
    read = read_prescription(f"甘草6g。{end}。")
    if (len(read.items), read.packets, read.usage) == (1, answer.packets, answer.usage):
        return written + (end and f"{end}。")
    return written + f"用法：{end}。"


def missing_fields(answer: Answer) -> tuple[str, ...]:
    """Names of the five required fields that an answer lacks, in the order of the layout."""
    return tuple(name for name in REQUIRED if not getattr(answer, name))


def format_valid(text: str) -> bool:
    """Whether a text keeps the layout: all five fields, each herb with a dose, and nothing that could not be read."""
    parsed = parse(text)
    return (
        not missing_fields(parsed.answer)
        and not parsed.unread
        and all(item.dose is not None for item in parsed.answer.prescription)
    )
