"""Which column of a hospital's table is which field: by its exact name, else by a word in its name, else not at all.

Two columns may make one field (舌质 + 舌苔 are the tongue, 就诊日期 + 初诊/复诊 the visit). Where only the contents can
tell (is 方药 the formula or the herbs? does 编号 count records or patients?) they are looked at. Whatever was chosen
among several is said.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tcm.prescriptions.notation import has_doses
from tcm.sources.cells import CellError, VisitMark, id_of, visit_of, written
from tcm.sources.tables import Table

FIELDS = {
    "id": "unique id of the record (default: its row)",
    "patient_id": "one per patient (default: every record is a patient of its own)",
    "visit": "number of the visit (1 = first), 初诊/复诊, or its date; later visits become follow-up cases",
    "sex": "男 or 女",
    "age": "years, or 3岁4个月",
    "pregnant": "true / false",
    "chief_complaint": "主诉",
    "history": "现病史",
    "tongue": "舌",
    "pulse": "脉",
    "disease": "中医诊断",
    "syndrome": "证型",
    "treatment_principle": "治法",
    "formula": "方剂",
    "prescription": "处方, e.g. 柴胡10g，黄芩12g，7剂，水煎服",
}
"""Our fields; the keys of `data_columns`."""

NAMES = {
    "patient_id": "patient_id 病案号 病历号 患者编号 患者号 患者id 病人id 病人号 病人编号 登记号 住院号 门诊号 "
    "就诊卡号 卡号 患者 病人",
    "id": "id case_id 记录号 记录编号 记录id 就诊号 就诊编号 就诊流水号 流水号 病历编号 编号 序号",
    "visit": "visit 诊次 就诊次数 就诊次序 就诊日期 就诊时间 诊疗日期 接诊日期 接诊时间 看诊日期 日期 "
    "初诊/复诊 初复诊 初诊复诊 初诊或复诊 就诊类型 就诊类别 就诊性质",
    "sex": "sex 性别",
    "age": "age 年龄 就诊年龄 岁数",
    "pregnant": "pregnant 妊娠 是否妊娠 怀孕 是否怀孕",
    "chief_complaint": "chief_complaint 主诉 就诊原因",
    "history": "history 现病史 刻下症 刻下 刻诊 现症 症状 临床表现 症见 病情 复诊情况 病史 四诊 四诊摘要",
    "tongue": "tongue 舌象 舌诊 舌 舌脉 舌质 舌体 舌苔 苔",
    "pulse": "pulse 脉象 脉 脉诊",
    "disease": "disease 中医诊断 中医病名 中医疾病 中医主病 辨病 病名 疾病 诊断",
    "syndrome": "syndrome 证型 中医证型 证候 中医证候 证名 辨证分型 中医辨证 辨证 证候诊断 中医证候诊断",
    "treatment_principle": "treatment_principle 治法 治则治法 治则 治疗原则 立法",
    "formula": "formula 方剂 方名 方剂名称 处方名称 选方 主方 方药",
    "prescription": "prescription 中药处方 处方 处方内容 处方明细 草药处方 中草药处方 饮片处方 方药 中药 药物组成 药物 "
    "用药 组成",
}
"""Names that records use, the surest first.

Source:
    Our choice after the items of 中医病历书写基本规范 (2010) and the headings of public case collections.
"""

WORDS = {
    "patient_id": "病案号 病历号 住院号 门诊号",
    "visit": "就诊日期 就诊时间 初诊 诊次",
    "sex": "性别",
    "age": "年龄",
    "pregnant": "妊娠",
    "chief_complaint": "主诉",
    "history": "现病史 刻下 刻诊 症状",
    "tongue": "舌",
    "pulse": "脉",
    "syndrome": "证型 证候 辨证",
    "disease": "中医诊断",
    "treatment_principle": "治法 治则",
    "prescription": "处方 方药",
    "formula": "方剂",
}
"""Words in longer names, the surest field first."""

OTHERS = re.compile(
    "西医|西药|既往|过敏|家族|个人史|出生|医师|医生|签名|科室|审核|金额|费用|电话|地址|身份证|处方号|处方日期"
)
"""Words of columns that hold none of our fields, whatever else their names say."""

SEVERAL = ("visit", "history", "tongue", "pulse")
"""Fields that several columns make together."""


@dataclass(frozen=True)
class Proposal:
    """Which column is which field.

    Args:
        columns: our field -> column, or columns in their order.
        unsure: sentences about what was chosen among several, or by a word in the name.
        unused: columns that no field takes.
    """

    columns: dict[str, str | tuple[str, ...]]
    unsure: tuple[str, ...]
    unused: tuple[str, ...]


def propose(table: Table, given: Mapping[str, str | tuple[str, ...]] | None = None) -> Proposal:
    """Look at the columns of a table and say which field each is.

    Args:
        given: what the user says; these fields and columns are not guessed at.
    """
    given = dict(given or {})
    taken = {column for columns in given.values() for column in as_tuple(columns)}
    free = [column for column in table.columns if column not in taken]
    exact: dict[str, list[str]] = {}
    loose: dict[str, list[str]] = {}
    for column in free:
        fields, surely = _fields_of(column)
        field = _by_contents(fields, column, table)
        if field and field not in given:
            (exact if surely else loose).setdefault(field, []).append(column)
    columns, unsure = dict(given), []
    for field in FIELDS:
        found = sorted(exact.get(field, []), key=lambda c: _rank(field, c)) or loose.get(field, [])
        if not found:
            continue
        if field in exact and field in SEVERAL:
            found = _together(field, found)
        elif field not in exact:
            found = found if field in SEVERAL else found[:1]
            unsure.append(f"{field}: {_said(tuple(found))} is taken for it by a word in its name")
        columns[field] = tuple(found) if field in SEVERAL and len(found) > 1 else found[0]
        rest = [c for c in (*exact.get(field, []), *loose.get(field, [])) if c not in as_tuple(columns[field])]
        if rest:
            unsure.append(f"{field}: {_said(columns[field])} is taken, {_said(tuple(rest))} could be it too")
    columns, more = _identities(columns, given, table)
    used = {column for value in columns.values() for column in as_tuple(value)}
    ordered = {field: columns[field] for field in FIELDS if field in columns}
    return Proposal(ordered, (*unsure, *more), tuple(c for c in table.columns if c not in used))


def misspelt(table: Table, used: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, str]]:
    """Columns that no field takes, that are named nearly as one that a field does, and that no record has beside it.

    Args:
        used: our field -> its columns.

    Returns:
        Such a column -> (our field, the column that it stands in the place of). What it holds would be lost.
    """
    fields = {name: field for field, names in used.items() for name in names}
    found = {}
    for name in table.columns:
        if name in fields or OTHERS.search(name):
            continue
        for meant in difflib.get_close_matches(name, fields, 1, 0.8):
            if not any(written(row.cells.get(name)) and written(row.cells.get(meant)) for row in table.rows):
                found[name] = fields[meant], meant
    return found


def as_tuple(columns: str | tuple[str, ...]) -> tuple[str, ...]:
    """One column or several as a tuple."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _said(columns: str | tuple[str, ...]) -> str:
    return " + ".join(map(repr, as_tuple(columns)))


def _bare(name: str) -> str:
    """A name as it is compared: half-width, small letters, without blanks, punctuation and what stands in brackets."""
    name = unicodedata.normalize("NFKC", name).lower()
    return re.sub(r"\([^()]*\)|[^\w]", "", name) or name


_EXACT: dict[str, list[str]] = {}
for _field, _names in NAMES.items():
    for _name in _names.split():
        _EXACT.setdefault(_bare(_name), []).append(_field)


def _fields_of(column: str) -> tuple[list[str], bool]:
    """The fields that a column's name stands for, and whether the name is exactly one of ours."""
    name = _bare(column)
    if name in _EXACT:
        return _EXACT[name], True
    if OTHERS.search(name):
        return [], False
    return next(([field] for field, words in WORDS.items() if any(w in name for w in words.split())), []), False


def _rank(field: str, column: str) -> int:
    names = [_bare(name) for name in NAMES[field].split()]
    return names.index(_bare(column)) if _bare(column) in names else len(names)  # known by its contents


def _together(field: str, found: list[str]) -> list[str]:
    """The columns that make a field together: 舌质 and 舌苔, unless one column (舌象) holds them both."""
    if field == "tongue" and (whole := [c for c in found if not re.search("舌质|舌体|苔", c)]):
        return whole[:1]
    return found


def _share(table: Table, column: str, is_so: Callable[[Any], bool]) -> float:
    cells = [row.cells[column] for row in table.rows if written(row.cells.get(column))]
    return sum(map(is_so, cells)) / len(cells) if cells else 0.0


def _by_contents(fields: list[str], column: str, table: Table) -> str:
    """Of the fields that a name may stand for, the one that its cells speak for."""
    if {"formula", "prescription"} & set(fields):
        if _share(table, column, lambda cell: isinstance(cell, list) or has_doses(written(cell))) > 0.5:
            return "prescription"
        return fields[0]
    if fields == ["visit"] and _share(table, column, _is_visit) <= 0.5:
        return ""  # 就诊类型 may say 专家门诊
    return fields[0] if fields else ""


def _is_visit(cell: Any) -> bool:
    try:
        return visit_of([cell]) != VisitMark()
    except CellError:
        return False


def _identities(columns: dict, given: Mapping, table: Table) -> tuple[dict, list[str]]:
    """An id that is not unique cannot be one of a record: it is the patient's where nothing better is."""
    said = []
    column = columns.get("id")
    if column and "id" not in given:
        try:
            values = [id_of("id", row.cells.get(column)) for row in table.rows]
        except CellError:
            return columns, said  # whoever reads the records says it, with its place
        if len(set(values)) < len(values) or not all(values):
            del columns["id"]
            if "patient_id" not in columns:
                columns["patient_id"] = column
                said.append(f"patient_id: {column!r} occurs more than once, so it counts patients")
    name = next((c for c in table.columns if _bare(c) in ("姓名", "患者姓名")), None)
    if name and "patient_id" not in columns:
        columns["patient_id"] = name
        said.append(
            f"patient_id: no column of numbers, so {name!r} tells patients apart; two of one name become one, and "
            "names go into runs/: better give each patient a number"
        )
    return columns, said
