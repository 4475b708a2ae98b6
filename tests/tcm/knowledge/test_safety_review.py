"""The second pass over the 83 toxic herbs of the pharmacopoeia covers all, and its settled values are in the tables."""

import csv
from collections import defaultdict
from functools import cache

from tcm.knowledge import forms, herbs, tables

REVIEWED = ("dose_min_g", "dose_max_g", "toxicity", "pregnancy", "route")


@cache
def rows():
    lines = (tables.DATA / "safety_review.tsv").read_text("utf-8").splitlines()
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def marked():
    return {herb.name: herb for herb in (*herbs().values(), *forms().values()) if "ChP83" in herb.note}


def current(name, field):
    value = "|".join(marked()[name].routes) if field == "route" else getattr(marked()[name], field)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else value


def fields(row, column="settled_value"):
    """The field or fields of a row with their values; a row on what was agreed writes several, joined by `;`."""
    if row["field"] != "agreed":
        return {row["field"]: row[column]}
    return dict(part.split("=", 1) for part in row[column].split(";"))


def test_every_toxic_herb_of_the_pharmacopoeia_is_reviewed_once_in_every_field():
    seen = defaultdict(list)
    for row in rows():
        seen[row["herb"]].extend(fields(row))
    assert seen.keys() == marked().keys() and len(seen) == 83
    assert all(sorted(names) == sorted(REVIEWED) for names in seen.values())


def test_the_settled_values_are_those_of_the_tables():
    settled = [(row["herb"], field, value) for row in rows() for field, value in fields(row).items()]
    assert [(*entry, current(*entry[:2])) for entry in settled if current(*entry[:2]) != entry[2]] == []


def test_every_row_names_its_basis_and_only_what_was_agreed_has_one_value():
    assert all(row["basis"] for row in rows())
    for row in rows():
        if row["field"] == "agreed":
            assert row["table_value"] == row["reviewer_value"] == row["settled_value"]
        else:
            assert row["table_value"] != row["reviewer_value"] or "against both" in row["basis"]
