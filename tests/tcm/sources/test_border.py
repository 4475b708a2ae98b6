"""What of a prescription was not read is counted on the text itself: nothing that a reader skips goes by in silence."""

import pytest

from tcm.cases import PrescriptionItem
from tcm.sources.border import measure, read_cell
from tcm.sources.cells import CellError


def items(*herbs: tuple) -> list[PrescriptionItem]:
    return [PrescriptionItem(herb=herb, dose=dose) for herb, dose in herbs]


WHOLE = [
    ("远志6g，茯神9g。5剂，水煎服", (("远志", 6), ("茯神", 9))),
    ("远志、茯神、石菖蒲各6g", (("远志", 6), ("茯神", 6), ("石菖蒲", 6))),
    ("远志6 茯神9", (("远志", 6), ("茯神", 9))),
    ("磁石20g（先煎30分钟），远志6克。加水500ml，分2次服，每次200毫升", (("磁石", 20), ("远志", 6))),
    ("枳壳12g，磁石先煎1小时，20g", (("枳壳", 12), ("磁石", 20))),
    ("三七粉3g，每服1.5g", (("三七粉", 3),)),
    ("朱砂0,5g，茯神9g", (("朱砂", 0.5), ("茯神", 9))),
    ("远志三钱，茯神9g", (("远志", 9), ("茯神", 9))),
]


@pytest.mark.parametrize(("text", "herbs"), WHOLE)
def test_of_a_prescription_that_was_read_nothing_is_lost(text: str, herbs: tuple) -> None:
    pieces, lost = measure(text, items(*herbs))
    assert lost == () and pieces >= 2


@pytest.mark.parametrize(("text", "herbs"), WHOLE)
def test_each_herb_that_a_reader_drops_is_lost(text: str, herbs: tuple) -> None:
    for i in range(len(herbs)):
        assert measure(text, items(*herbs[:i], *herbs[i + 1 :]))[1], herbs[i]


@pytest.mark.parametrize(("written", "read"), [("茯神0.9g", 9), ("茯神15g", 5), ("茯神9-12g", 9)])
def test_a_dose_that_was_read_as_another_is_lost(written: str, read: float) -> None:
    assert measure(f"远志6g，{written}", items(("远志", 6), ("茯神", read)))[1]


def test_a_number_behind_a_known_herb_is_a_dose_whatever_its_unit() -> None:
    assert measure("远志6q，茯神9g", items(("远志", None), ("茯神", 9)))[1] == ("远志6q",)


def test_a_cell_keeps_its_text_beside_what_was_read() -> None:
    cell = read_cell(7, "row-7", "远志6g，茯神9g。5剂，水煎服")
    assert (cell.line, cell.id, cell.answer.herbs, cell.answer.packets) == (7, "row-7", ("远志", "茯神"), 5)
    assert cell.whole and cell.pieces == 4


def test_a_text_without_any_herb_is_a_loss_and_no_answer() -> None:
    cell = read_cell(7, "row-7", "针刺治疗，予耳穴压豆")
    assert not cell.whole and cell.lost and not cell.answer.prescription


@pytest.mark.parametrize("text", ["上方去远志，加枳壳10g", "守方，7剂", "效不更方"])
def test_a_change_of_the_last_prescription_is_never_read_as_a_whole_one(text: str) -> None:
    cell = read_cell(7, "row-7", text)
    assert not cell.whole and cell.answer.prescription == ()


CHANGES = {
    "首方去远志，加枳壳10g": (("茯神", 9), ("枳壳", 10)),
    "二诊：上方去远志，加枳壳10g": (("茯神", 9), ("枳壳", 10)),
    "仍以上方加枳壳10g": (("远志", 6), ("茯神", 9), ("枳壳", 10)),
    "在上方基础上加枳壳10g": (("远志", 6), ("茯神", 9), ("枳壳", 10)),
    "加枳壳10g，陈皮6g": (("远志", 6), ("茯神", 9), ("枳壳", 10), ("陈皮", 6)),
    "远志加至9g，余药同前": (("远志", 9), ("茯神", 9)),
    "按原方再进5剂": (("远志", 6), ("茯神", 9)),
}


@pytest.mark.parametrize(("text", "herbs"), CHANGES.items())
def test_a_change_in_any_words_needs_the_prescription_before_and_changes_it(text: str, herbs: tuple) -> None:
    cell = read_cell(7, "row-7", text, items(("远志", 6), ("茯神", 9)))
    assert tuple((item.herb, item.dose) for item in cell.answer.prescription) == herbs and cell.whole
    alone = read_cell(7, "row-7", text)
    assert not alone.whole and alone.lost and not alone.answer.prescription


def test_a_prescription_in_full_stays_one_whatever_was_given_before() -> None:
    for text in ("归脾汤加减：远志6g，茯神9g", "初诊方：远志6g，茯神9g，枳壳10g"):
        cell = read_cell(7, "row-7", text, items(("柴胡", 10), ("黄芩", 9)))
        assert cell.answer.herbs[:2] == ("远志", "茯神") and "柴胡" not in cell.answer.herbs


@pytest.mark.parametrize(
    ("text", "said"),
    [("远志12q，茯神9g", "read from 12q"), ("远志6g，茯神900g", "of reason"), ("远志每次3g，茯神9g", "a time")],
)
def test_a_dose_that_had_to_be_guessed_is_said(text: str, said: str) -> None:
    cell = read_cell(7, "row-7", text)
    assert cell.answer.prescription and not cell.whole and any(said in piece for piece in cell.unread)


def test_herbs_given_as_a_list_are_read_as_what_they_are() -> None:
    (one, other) = read_cell(7, "row-7", [{"herb": "远志", "dose_g": 6}, {"herb": "茯神"}]).answer.prescription
    assert (one.herb, one.dose, other.herb, other.dose) == ("远志", 6, "茯神", None)
    assert read_cell(7, "row-7", ["远志6g", "茯神9g"]).answer.herbs == ("远志", "茯神")


@pytest.mark.parametrize("value", [{"herb": "远志"}, [{"name": "远志"}], [{"herb": "远志", "dose_g": "many"}]])
def test_a_list_that_is_no_prescription_is_refused(value: object) -> None:
    with pytest.raises(CellError):
        read_cell(7, "row-7", value)


@pytest.mark.parametrize("value", [None, "", "无", "-"])
def test_no_prescription_is_none(value: object) -> None:
    assert read_cell(7, "row-7", value) is None


def test_a_strange_word_among_dosed_herbs_is_named_and_in_a_list_of_names_is_not() -> None:
    (unread,) = read_cell(7, "row-7", "远志6g，另予玄妙草，茯神9g").unread
    assert "玄妙草" in unread
    assert read_cell(7, "row-7", "远志、玄妙草、茯神").whole
