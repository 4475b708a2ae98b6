"""Records of one patient in the order of their visits, and cells that a spreadsheet merged."""

from collections.abc import Sequence
from dataclasses import replace

from tcm.sources.cells import CellError, VisitMark, id_of, written
from tcm.sources.tables import Row, Table

Marked = tuple[VisitMark, int]
"""What a record says of its visit, and its line."""


def fill_merged(table: Table, patient: str | None, of_patient: Sequence[str]) -> Table:
    """Fill cells that were merged downwards: exactly the merged ranges of a spreadsheet; elsewhere an empty patient id
    takes the one above, and what belongs to the patient (sex, age) the value of that patient's record above.

    Args:
        patient: the column of patients.
        of_patient: columns that say the same at every visit of a patient.
    """
    above: dict = {}
    value_at = {(row.line, column): row.cells.get(column) for row in table.rows for column in table.columns}
    rows = []
    for row in table.rows:
        cells = dict(row.cells)
        for first, last, column in table.merged:
            if first < row.line <= last:
                cells[column] = value_at.get((first, column))
        if patient and above:
            if not id_of("patient_id", cells.get(patient)):
                cells[patient] = above[patient]
            if id_of("patient_id", cells.get(patient)) == id_of("patient_id", above.get(patient)):
                cells |= {c: above.get(c) for c in of_patient if not written(cells.get(c))}
        above = cells
        rows.append(Row(row.line, cells))
    return replace(table, rows=tuple(rows), merged=())


def episodes(marks: Sequence[Marked], patient: str) -> list[list[int]]:
    """The records of one patient as courses of visits, each from a first visit on.

    Dates order them; else numbers; else, where 初诊 and 复诊 are all there is, their order in the file. A second 初诊
    at a later date begins a new course.

    Args:
        marks: in the order of the file.

    Returns:
        Indexes into `marks`, in order, a list a course.

    Raises:
        CellError: where the order is not known or contradicts itself, or a course does not begin with a first visit.
    """
    order = list(range(len(marks)))
    numbered = all(mark.number for mark, _ in marks)
    dated = all(mark.date for mark, _ in marks)
    if dated:
        order.sort(key=lambda i: (marks[i][0].date, marks[i][0].number or (2 if marks[i][0].later else 1), marks[i][1]))
    elif numbered:
        order.sort(key=lambda i: marks[i][0].number)
    elif marks[-1][0].number == 1 and marks[0][0].later:
        order.reverse()  # the newest stands first
    courses: list[list[int]] = []
    for i in order:
        if not courses or (dated and marks[i][0].number == 1 and marks[courses[-1][-1]][0].date < marks[i][0].date):
            courses.append([])
        courses[-1].append(i)
    for course in courses:
        _check([marks[i] for i in course], patient, dated)
    return courses


def _check(course: Sequence[Marked], patient: str, dated: bool) -> None:
    (first, line), *_ = course
    if first.later or (first.number or 1) > 1:
        what = f"visit {first.number}" if first.number else "a follow-up (复诊)"
        said = f"patient {patient!r} starts with {what}; add the earlier ones"
        raise CellError("visit", "a patient without first visit", said, line)
    for (one, line), (other, line_2) in zip(course, course[1:], strict=False):
        same = one.number == other.number if one.number and other.number else False
        if same or (dated and one.date == other.date and not (one.number and other.number)):
            said = f"patient {patient!r} has visit {other.number or other.date} on line {line} already"
            raise CellError("visit", "one visit twice", said, line_2)
        if other.number and one.number and other.number < one.number:
            said = (
                f"patient {patient!r}: numbers and dates (or places) of lines {line} and {line_2} contradict each other"
            )
            raise CellError("visit", "numbers and dates contradict", f"{said}; correct one", line_2)
        if one.number and other.number and other.number > one.number + 1:
            said = (
                f"patient {patient!r} has visit {one.number} on line {line} and then visit {other.number}; add those "
                "between, or count the visits that you have"
            )
            raise CellError("visit", "a visit that is missing", said, line_2)
        if not dated and not other.number and not other.later:
            said = f"patient {patient!r} has visit 1 on line {line} already; give number, 初诊/复诊 or date"
            raise CellError("visit", "one visit twice", said, line_2)
