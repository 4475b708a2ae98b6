"""Read the rows of a table in an answer: fields, or herbs in any order of columns, with or without a header."""

import re
from itertools import zip_longest

from tcm.answers.labels import field_of, label_of
from tcm.answers.remarks import Herbs, is_dose, is_herb, opens_with_herb, read_line

COLUMNS = {
    "herb": "药物 药名 药材 药味 中药 中药名 药物名称 中药名称 药材名称 名称 草药 组成 饮片 处方药物 "
    "herb herbs name medicinal ingredient herbname chineseherb chinesename",
    "dose": "剂量 用量 克数 分量 重量 数量 剂量g 用量g 剂量克 用量克 "
    "dose dosage amount doseg dosageg amountg quantity grams",
    "note": "用法 煎法 备注 炮制 特殊煎法 处理 特殊用法 煎煮 煎服 note notes preparation processing usage",
    "said": "功效 作用 说明 功用 功能 角色 配伍 君臣佐使 主治 性味 归经 性味归经 方解 分析 意义 类别 解释 目的 "
    "effect effects function role action explanation purpose category rationale pinyin 拼音 "
    "latin latinname englishname english",
    "number": "序号 编号 号 no # 序 number",
}
"""What the head of a column says, in small letters without blanks and brackets."""

_FIELD_HEADS = frozenset("项目 内容 字段 结果 类别 诊疗项目 具体内容 item content field value".split())
_ROLE_OF = {word: role for role, words in COLUMNS.items() for word in words.split()}
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3})?(?:\s?[-~～至]\s?\d{1,4}(?:\.\d{1,3})?)?")


def column_of(head: str) -> str | None:
    """The role of a column or of a key of an object: herb, dose, note, said or number; None where it is none."""
    return _ROLE_OF.get(re.sub(r"[\s_()（）/:：*.\[\]-]", "", head).lower().removesuffix("（g）"))


def table_lines(rows: list[list[str]]) -> tuple[list[str], list[str]]:
    """A table as lines of text.

    Returns:
        Lines (one a herb or field), and remarks.
    """
    rows = [row for row in rows if not all(re.fullmatch(r":?[-=—]{1,99}:?|", cell) for cell in row)]
    if rows and all(cell.lower() in _FIELD_HEADS for cell in rows[0]):
        rows = rows[1:]
    if not rows:
        return [], []
    if column_of(rows[0][0]) == "herb" and len(rows) > 1 and column_of(rows[1][0]) == "dose":
        rows = [list(row) for row in zip_longest(*rows, fillvalue="")]
    labels = [label_of(cell) for cell in rows[0]]
    head = [column_of(cell) for cell in rows[0]]
    if len(rows) > 1 and len(labels) > 1 and all(label and field_of(label) for label in labels) and not all(head):
        values = zip_longest(*rows[1:], fillvalue="")
        return [f"{label}：{'，'.join(filter(None, v))}" for label, v in zip(labels, values, strict=False)], []
    grams = ["g" if re.search(r"[(（/]\s?(?:g|克)", cell, re.I) else "" for cell in rows[0]]
    if "herb" in head or "dose" in head:
        rows = rows[1:]
    else:
        head, grams = [], []
    read = [_row(row, head, grams) for row in rows]
    return [line for line, _ in read], [remark for _, said in read for remark in said]


def _row(row: list[str], head: list[str | None], grams: list[str]) -> tuple[str, list[str]]:
    """A row as a line, and its remarks."""
    label = label_of(row[0])
    if label and not head and len(row) > 1:
        return f"{label}：{'，'.join(cell for cell in row[1:] if cell)}", []
    herbs = Herbs()
    doses = any(is_dose(cell) and not _NUMBER.fullmatch(cell) for cell in row)
    for place, (cell, role, unit) in enumerate(zip_longest(row, head, grams)):
        if not cell or place >= len(row) or role == "number":
            continue
        number = _NUMBER.fullmatch(cell) is not None
        if role == "dose" or (role is None and is_dose(cell) and not (number and (doses or place == 0))):
            herbs.dose(cell + (unit or "" if number else ""))
        elif role == "herb" or (role is None and (is_herb(cell) or opens_with_herb(cell))):
            _herb_cell(herbs, cell)
        elif role == "note" or not number:
            herbs.said(cell)
    return herbs.text() if herbs.items else "，".join(
        cell for cell in row if cell
    ), herbs.remarks if herbs.items else []


def _herb_cell(herbs: Herbs, cell: str) -> None:
    """The cell of a herb: a name, or a name with its dose or handling (龙骨（先煎）)."""
    read = read_line(cell)
    if not read.items:
        herbs.name(cell)
        return
    first, *others = read.items
    herbs.name(first.name)
    if first.dose:
        herbs.dose(first.dose)
    herbs.items[-1].notes += first.notes
    herbs.items += others
    herbs.remarks += read.remarks
