"""One cell becomes one value however it was written; what is missing stays empty and nothing is turned into text."""

import datetime as dt
import math

import pytest

from tcm.answers.wording import age_text
from tcm.sources.cells import CellError, VisitMark, age_of, id_of, pregnant_of, sex_of, text_of, visit_of

NOTHING = (
    "",
    " ",
    None,
    math.nan,
    "nan",
    "NaN",
    "None",
    "null",
    "NULL",
    "N/A",
    "#N/A",
    "-",
    "——",
    "/",
    "未填",
    "空",
    "不详",
)


@pytest.mark.parametrize("value", NOTHING)
@pytest.mark.parametrize("field", ["syndrome", "chief_complaint", "prescription", "patient_id"])
def test_nothing_is_missing_in_all_its_spellings(field: str, value: object) -> None:
    assert text_of(field, value) == ""


def test_none_is_a_finding_in_a_complaint_and_missing_in_a_label() -> None:
    assert (text_of("chief_complaint", "无"), text_of("history", "无")) == ("无", "无")
    assert {text_of(field, "无") for field in ("syndrome", "formula", "prescription", "tongue", "pulse", "id")} == {""}


def test_a_finding_that_begins_as_nothing_does_is_kept() -> None:
    assert (text_of("pulse", "无脉"), text_of("history", "无汗")) == ("无脉", "无汗")


@pytest.mark.parametrize("value", [{"a": 1}, [["失眠"]], [{"a": 1}]])
def test_an_object_is_refused_and_never_its_python_text(value: object) -> None:
    with pytest.raises(CellError, match="is no text"):
        text_of("history", value)


def test_a_list_of_texts_is_read_as_its_parts() -> None:
    assert text_of("history", ["失眠", None, "多梦"]) == "失眠，多梦"


@pytest.mark.parametrize("value", [1001, 1001.0, "1001", "1001.0", " １００１ "])
def test_one_patient_number_is_one_id_however_it_was_saved(value: object) -> None:
    assert id_of("patient_id", value) == "1001"


@pytest.mark.parametrize(
    ("value", "years"),
    [(45, 45), (45.0, 45), ("45", 45), ("45岁", 45), ("45 周岁", 45), ("1.0", 1), ("４５岁", 45), ("0", 0)]
    + [
        ("3岁4个月", 3 + 4 / 12),
        ("3岁半", 3.5),
        ("8个月", 8 / 12),
        ("8月", 8 / 12),
        ("20天", 20 / 365),
        ("1岁零2月", 14 / 12),
    ],
)
def test_an_age_is_read_in_years(value: object, years: float) -> None:
    assert age_of(value) == pytest.approx(years)


@pytest.mark.parametrize("years", [0.5, 1.25, 2, 2.5, 3 + 4 / 12, 6.75, 45, 88])
def test_an_age_reads_back_from_the_study_s_own_wording(years: float) -> None:
    assert age_of(age_text(years)) == pytest.approx(years)


@pytest.mark.parametrize("value", ["450", "-3", "四十五", "岁", "45/3", "abc"])
def test_what_is_no_age_is_refused(value: str) -> None:
    with pytest.raises(CellError, match="years"):
        age_of(value)


def test_an_age_that_is_missing_is_none() -> None:
    assert age_of(math.nan) is None


@pytest.mark.parametrize(
    ("value", "sex"), [("女性", "女"), ("男性", "男"), (" 女 ", "女"), ("Female", "女"), ("-", "")]
)
def test_sex_is_read(value: str, sex: str) -> None:
    assert sex_of(value) == sex


@pytest.mark.parametrize("value", ["1", "X", "女？"])
def test_a_sex_that_is_neither_is_refused(value: str) -> None:
    with pytest.raises(CellError):
        sex_of(value)


def test_no_pregnancy_may_be_written_as_none() -> None:
    assert [pregnant_of(v) for v in ("无", "否", False, None, "-", "是", True, 1.0)] == [False] * 5 + [True] * 3


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        ((1,), VisitMark(number=1)),
        (("1.0",), VisitMark(number=1)),
        ((2.0,), VisitMark(number=2)),
        (("初诊",), VisitMark(number=1)),
        (("二诊",), VisitMark(number=2)),
        (("十二诊",), VisitMark(number=12)),
        (("第3次",), VisitMark(number=3)),
        (("第三诊",), VisitMark(number=3)),
        (("复诊",), VisitMark(later=True)),
        (("2024-03-05",), VisitMark(date=dt.date(2024, 3, 5))),
        (("2024年3月5日",), VisitMark(date=dt.date(2024, 3, 5))),
        ((45356,), VisitMark(date=dt.date(2024, 3, 5))),
        (("20240305",), VisitMark(date=dt.date(2024, 3, 5))),
        (("2024/3/5 09:12",), VisitMark(date=dt.date(2024, 3, 5))),
        ((dt.datetime(2024, 3, 5, 9),), VisitMark(date=dt.date(2024, 3, 5))),
        (("2024-03-05", "复诊"), VisitMark(later=True, date=dt.date(2024, 3, 5))),
        (("复诊", "三诊"), VisitMark(number=3)),
        ((None, ""), VisitMark()),
    ],
)
def test_a_visit_is_a_number_a_name_a_date_or_several_of_these(values: tuple, mark: VisitMark) -> None:
    assert visit_of(list(values)) == mark


@pytest.mark.parametrize(
    "values", [("0",), ("二",), ("1.5",), ("2024-13-05",), ("下周",), ("第一次复诊",), ("初诊", "2"), ("初诊", "复诊")]
)
def test_a_visit_that_is_none_or_two_is_refused(values: tuple) -> None:
    with pytest.raises(CellError):
        visit_of(list(values))
