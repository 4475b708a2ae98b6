"""Take off what a chat model lays around an answer: Markdown, tables, lists, HTML, objects, English field names.

`plain` turns any of them into lines such as ``处方：`` and ``黄芪 10g（先煎）`` that the reader of answers knows, and
hands back what it left out: remarks on herbs. A text without markup goes through untouched.
"""

import re
from dataclasses import dataclass, field

from tcm.answers.labels import english_labels, field_of, label_of
from tcm.answers.objects import objects_as_text
from tcm.answers.remarks import Herbs, is_herb, is_taking, opens_with_herb, read_line
from tcm.answers.tables import table_lines

_MARKUP = re.compile(r"[\n<{|`#]|\*\*|\[[\s{\"']|[A-Za-z]{4}|[•●①-⑳]")
_TAGS = (
    (re.compile(r"</t[dh]>\s{0,9}<t[dh][^<>]{0,99}>", re.I), " | "),
    (re.compile(r"<(?:br|/p|/tr|/li|/h[1-6]|/div)\b[^<>]{0,99}>|<tr[^<>]{0,99}>|<hr\s?/?>", re.I), "\n"),
    (re.compile(r"<li[^<>]{0,99}>", re.I), "\n- "),
    (re.compile(r"<h[1-6][^<>]{0,99}>", re.I), "\n# "),
    (re.compile(r"</?[A-Za-z][\w-]{0,20}(?:\s[^<>]{0,99})?/?>|<\|[\w ]{1,30}\|>"), ""),
)
_QUOTE = re.compile(r"^(?:\s{0,9}>){1,9}\s?")
_HASHES = re.compile(r"#{1,6}\s{0,3}(?=[^#\s])")
_SKIPPED = re.compile(r"\s*(?:(?:```|~~~)[\w+-]{0,20}|[-*_=—]{3,})\s*$")
_BOLD = re.compile(r"\*{2,3}|__|`|(?<![*\w])\*(?=\S)|(?<=\S)\*(?![*\w])")
_BULLET = re.compile(r"[-+•●○▪◦·–—]\s{0,3}(?![-+\d\s])|[-+*•]\s{1,3}")
_NUMBER = re.compile(r"(?:[(（]?\d{1,2}[)）、.．](?!\d)|[①-⑳])\s{0,3}")
_KEY = re.compile(r"([^:：\n]{1,40})([:：])")
_ROLE = re.compile("[君臣佐使、和与及 ]{1,6}(?:药|$)")
_KEYS = {
    "dose": "剂量 用量 分量 克数 dose dosage amount",
    "note": "煎法 煎煮 炮制 用法 处理 特殊煎法 备注 preparation note usage",
    "said": "作用 功效 功用 功能 效用 主治 性味 归经 意义 目的 理由 解释 说明 分析 方解 配伍 角色 "
    "effect function role purpose action reason rationale",
}
_KEY_OF = {word: kind for kind, words in _KEYS.items() for word in words.split()}


@dataclass
class _Lines:
    """Lines as they are rewritten; `herb` is the last line that holds one herb, for what is said about it below."""

    out: list[str | Herbs] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    table: list[list[str]] = field(default_factory=list)
    herb: Herbs | None = None
    indent: int = 0
    taking: bool = False

    def add(self, line: str) -> None:
        """Rewrite one line."""
        if ">" in line:
            line = _QUOTE.sub("", line)
        cells = _cells(line)
        if cells:
            self.table.append(cells)
            return
        self.end_table()
        body = line.strip()
        if not body or _SKIPPED.match(body):
            return
        hashes = _HASHES.match(body)
        body = body[hashes.end() :] if hashes else body
        bullet = _BULLET.match(body)
        body = _BOLD.sub("", body[bullet.end() :] if bullet else body).strip()
        number = _NUMBER.match(body)
        body = body[number.end() :] if number else body
        indent = len(line) - len(line.lstrip())
        if hashes or not self.below_herb(body, indent):
            self.line(body, indent, heading=hashes is not None, listed=bool(bullet or number))

    def line(self, body: str, indent: int, heading: bool, listed: bool) -> None:
        """A line that is not about the herb above: a field, herbs, a heading, or anything else."""
        taking, self.taking, self.herb = self.taking, False, None
        key, colon, value = _split(body)
        label = label_of(key if colon else body)
        if label:
            self.field(label, key, colon, value, body)
        elif opens_with_herb(body) or (listed and (_ROLE.fullmatch(key) or is_herb(key)) and not heading):
            self.herbs(body, indent)
        elif heading and not (_ROLE.match(body) or is_herb(body)):
            self.out.append(f"# {body}")
        elif is_taking(body) and not heading:
            if taking:
                self.out[-1] += f"，{body}"
            else:
                self.out.append(body)
            self.taking = True
        elif not heading:
            self.out.append(body)

    def field(self, label: str, key: str, colon: str, value: str, body: str) -> None:
        """A line that opens a field; brackets in the label may hold packets (处方（7剂）) or a translation."""
        inside = re.search(r"[(（]([^()（）]{1,30})[)）]", key if colon else body)
        if inside and re.search("[0-9一二三四五六七八九十]\\s?[剂付帖]", inside[1]):
            self.out.append(f"用法：{inside[1]}")
        elif inside and not inside[1].isascii() and not label_of(inside[1]) and inside.start():
            self.remarks.append(inside[1])
        self.out.append(body if key == label else f"{label}：{value}")

    def herbs(self, body: str, indent: int) -> None:
        """A line of herbs with remarks."""
        read = read_line(body)
        if not read.items:
            (self.remarks if _ROLE.match(body) else self.out).append(body)
            return
        self.out.append(read)
        if len(read.items) == 1 and not read.taking:
            self.herb, self.indent = read, indent

    def below_herb(self, body: str, indent: int) -> bool:
        """Whether a line says something about the herb above, and so is no line of its own."""
        if self.herb is None:
            return False
        key, colon, value = _split(body)
        kind = _KEY_OF.get(re.sub(r"\s", "", key).lower()) if colon else None
        if kind is None and opens_with_herb(body):
            return False
        if indent <= self.indent and (kind not in ("dose", "said") or label_of(key) and field_of(label_of(key))):
            return False
        if kind == "dose":
            self.herb.dose_and_more(value)
        elif indent > self.indent and (kind is None and is_herb(key)):
            return False
        elif kind == "note":
            self.herb.said(value)
        else:
            self.herb.remarks.append(body)
        return True

    def end_table(self) -> None:
        """Rewrite the rows of a table that has just ended."""
        if self.table:
            lines, remarks = table_lines(self.table)
            self.out += lines
            self.remarks += remarks
            self.table, self.herb, self.taking = [], None, False


def _split(body: str) -> tuple[str, str, str]:
    """A line at its first colon, where that stands early: (key, colon, value)."""
    match = _KEY.match(body)
    return (match[1].strip(), match[2], body[match.end() :].strip()) if match else (body, "", "")


def _cells(line: str) -> list[str]:
    """The cells of a table row, without markup; none where the line is no row."""
    if "|" not in line:
        return []
    cells = [_BOLD.sub("", cell).strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
    key, colon, value = _split(cells[0])
    if len(cells) < 2 and not line.strip().startswith("|") or (colon and value and label_of(key)):
        return []
    return cells


def plain(text: str) -> tuple[str, list[str], list[str]]:
    """Take the layout off a text.

    Returns:
        The text with one field or herb a line, remarks on herbs, and parts of objects that could not be read.
    """
    if not _MARKUP.search(text):
        return text, [], []
    text, remarks, unread = objects_as_text(text)
    if "<" in text:
        for tag, instead in _TAGS:
            text = tag.sub(instead, text)
    lines = _Lines(remarks=remarks)
    for line in english_labels(text).split("\n"):
        lines.add(line)
    lines.end_table()
    herbs = [line for line in lines.out if isinstance(line, Herbs)]
    remarks = [*lines.remarks, *(remark for line in herbs for remark in line.remarks)]
    return "\n".join(line.text() if isinstance(line, Herbs) else line for line in lines.out), remarks, unread
