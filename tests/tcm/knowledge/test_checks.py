"""Every row names a source that can be found and says what bears it out; no mark claims more than its cell."""

import csv

import pytest

from tcm.knowledge import forms, formulas, herbs, incompatibilities, parse, tables
from tcm.knowledge.checks import MARKS, checked, clause, counts, mark, references, resolve_source
from tcm.knowledge.rows import Row, TableError

ROWS = [*herbs().values(), *forms().values(), *incompatibilities(), *tables.review_rules()]


def test_every_source_leads_to_a_reference():
    for row in ROWS:
        assert all(reference.where for reference, _ in resolve_source(row.source)), row


def test_a_source_may_add_a_section_after_the_name_of_its_reference():
    ((book, section),) = resolve_source("ChP 2020 vol. I, 炮制通则 and the entry's 饮片")
    assert (book.name, section) == ("ChP 2020 vol. I", "炮制通则 and the entry's 饮片")
    assert [r.name for r, _ in resolve_source("儒门事亲; Yu CM et al., J Intern Med 1997;241:337")] == [
        "儒门事亲",
        "Yu CM et al., J Intern Med 1997;241:337",
    ]
    with pytest.raises(KeyError, match="a book of which nobody heard"):
        resolve_source("ChP 2020 vol. I; a book of which nobody heard")


def test_every_mark_is_legal_and_every_text_it_rests_on_is_listed_with_an_origin():
    assert {mark(row.checked) for row in ROWS} <= set(MARKS)
    for row in ROWS:
        assert row.checked in (("open",), ("memory",), ("ours",)) or all(references()[n].origin for n in row.checked)


def test_no_reference_stands_there_for_nothing():
    named = {reference.name for row in ROWS for reference, _ in resolve_source(row.source)}
    assert references().keys() == named | {n for row in ROWS for n in row.checked if n in references()}
    assert {reference.kind for reference in references().values()} == {"book", "notice", "paper", "copy", "ours"}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("ChP-ocr", "once"),
        ("ChP-web-1|ChP-web-2", "once"),
        ("ChP-ocr|ChP-web-1", "twice"),
        ("ChP-web-2|中药学-7", "twice"),
        ("memory", "memory"),
        ("open", "open"),
    ],
)
def test_two_copies_of_one_origin_are_no_two_witnesses(cell, expected):
    assert mark(tuple(cell.split("|"))) == expected


@pytest.mark.parametrize("cell", ["", "twice", "memory|ChP-ocr", "ChP 2020 vol. I", "a rumour"])
def test_a_cell_that_names_no_text_is_an_error_with_its_place(cell):
    with pytest.raises(TableError, match="herbs.tsv:7:checked: .* name texts, or one of"):
        checked(Row("herbs.tsv", 7, {"checked": cell}))


def test_a_choice_of_ours_is_marked_so_and_is_no_looked_up_row():
    assert all(row.source == "our choice" for row in ROWS if mark(row.checked) == "ours")


def test_an_open_row_says_in_its_note_what_is_open():
    left_open = [herb for herb in (*herbs().values(), *forms().values()) if mark(herb.checked) == "open"]
    assert left_open and all(herb.note or herbs()[herb.base].note for herb in left_open)


def test_a_form_is_as_its_base_herb_only_where_it_says_nothing_of_its_own(tmp_path):
    header = "\t".join(parse.FORM_COLUMNS)
    base = {"附子": herbs()["附子"]}
    (tmp_path / "herb_forms.tsv").write_text(f"{header}\n炮附片\t附子\t炮\t\t\t\t\t\t\tChP 2020 vol. I\t\t\n", "utf-8")
    assert parse.read_forms(tmp_path, base)["炮附片"].checked == base["附子"].checked
    (tmp_path / "herb_forms.tsv").write_text(
        f"{header}\n炮附片\t附子\t炮\t1\t2\t\t\t\t\tChP 2020 vol. I\t\t\n", "utf-8"
    )
    with pytest.raises(TableError, match="herb_forms.tsv:2:checked"):
        parse.read_forms(tmp_path, base)


def test_what_was_settled_or_left_open_is_as_the_readme_of_the_tables_says():
    readme = (tables.DATA / "README.md").read_text("utf-8")
    said = readme.split("Settled by looking up", 1)[1]
    found = {**herbs(), **forms()}
    assert (found["制草乌"].pregnancy, found["草乌"].pregnancy, found["大皂角"].pregnancy) == ("慎用", "禁用", "忌用")
    assert mark(found["制草乌"].checked) == "twice" and mark(found["大皂角"].checked) != "memory"
    with (tables.DATA / "herbs.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row["checked"] == "open"]
    assert all(row["herb"] in said for row in rows) and "胆南星" in said


def test_five_of_six_herbs_that_our_formulas_name_are_looked_up_twice():
    named = {herb for formula in formulas().values() for herb, _ in formula.composition}
    found = counts({**herbs(), **forms()}[name].checked for name in named)
    assert found["twice"] / len(named) >= 5 / 6 and found["ours"] == 0


def test_counts_are_those_of_the_rows():
    found = counts(row.checked for row in ROWS)
    assert list(found) == list(MARKS) and sum(found.values()) == len(ROWS)


def test_only_what_was_not_borne_out_adds_a_clause():
    assert [bool(clause(of)) for of in MARKS] == [False, False, True, True, False]
