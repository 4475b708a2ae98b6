"""A hospital's export as tests need it: 40 visits of 30 invented patients in a spreadsheet."""

import datetime as dt
from pathlib import Path

import openpyxl

from tcm import answers
from tcm.cases import Answer, Visit
from tcm.invented import invent_cases

HEADER = "病案号 就诊日期 初诊/复诊 性别 年龄 主诉 现病史 舌质 舌苔 脉象 中医诊断 证型 治法 方剂 中药处方 医师".split()


def export_rows() -> list[list]:
    """Rows under `HEADER`: 20 patients with one visit and 10 with two."""
    invented = invent_cases(120, 0.4, 3, 30)
    first = [case for case in invented if not case.earlier_visits][:20]
    again = [case for case in invented if case.earlier_visits][:10]
    rows, day = [], dt.datetime(2024, 3, 1)
    for number, case in enumerate([*first, *again]):
        visits = [*case.earlier_visits, case.visit.model_copy(update={"answer": case.answer})]
        for later, visit in enumerate(visits):
            rows.append(
                [
                    f"BA{1000 + number}",
                    day + dt.timedelta(number + 7 * later),
                    "复诊" if later else "初诊",
                    f"{case.patient.sex or '女'}性",
                    f"{case.patient.age:g}岁" if case.patient.age else "",
                    *_texts(visit, visit.answer),
                    "张某",
                ]
            )
    return rows


def _texts(visit: Visit, answer: Answer) -> list[str]:
    body, _, coating = visit.tongue.partition("，")
    prescription = answers.write(answer.model_copy(update=dict.fromkeys(answers.REQUIRED[:4], "")))
    return [
        visit.chief_complaint,
        visit.history,
        body.removeprefix("舌"),
        coating.removeprefix("苔"),
        visit.pulse,
        answer.disease,
        answer.syndrome,
        answer.treatment_principle,
        answer.formula,
        prescription.removeprefix("处方："),
    ]


def write_export(path: Path, rows: list[list], header: list[str] = HEADER, merge: str = "") -> Path:
    """Write rows as a spreadsheet, with cells merged where asked (e.g. ``A2:A3``)."""
    book = openpyxl.Workbook()
    for row in (header, *rows):
        book.active.append(row)
    if merge:
        book.active.merge_cells(merge)
    book.save(path)
    return path
