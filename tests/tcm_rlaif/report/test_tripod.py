"""The TRIPOD-LLM table: every item of the guideline once, filled from results, and as committed."""

import json
import re

import pytest

from tcm_rlaif.report import readme, tripod
from tcm_rlaif.study.params import ROOT

PARTS = {3: "ab", 5: "abcde", 6: "abcde", 7: "abcde", 8: "abc", 9: "ab", 14: "abcdef", 16: "abcd", 19: "abcdefg"}
"""Main item -> the letters of its parts; the others have none (item 2 is the abstract's own list, 2a to 2l)."""
ITEMS = [f"{n}{part}" for n in range(1, 20) for part in PARTS.get(n, [""])]


def table(study: str) -> str:
    return tripod.document(json.loads((ROOT / "reports" / study / "results.json").read_text("utf-8")))


def test_every_item_of_the_guideline_stands_once_in_order_with_an_answer() -> None:
    rows = re.findall(r"^\| ([\da-g–l]+) \| ([^|]+) \| (.+) \|$", table("default"), re.MULTILINE)
    numbers = [number for number, _, _ in rows]
    assert [number.replace("2a–2l", "2") for number in numbers] == ITEMS and len(ITEMS) == 49
    assert all(asked.strip() and told.strip() for _, asked, told in rows)
    assert not re.search(r"[{}]", table("default")), "every word in braces was filled in"


def test_values_are_those_of_the_study() -> None:
    said, found = table("default"), json.loads((ROOT / "reports" / "default" / "results.json").read_text("utf-8"))
    difference = next(r for r in found["comparisons"] if (r["arms"], r["metric"]) == ("sft - base", "herb_f1"))
    assert f"{difference['difference']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]" in said
    assert f"All {len(found['all_params'])} parameters" in said and "Does not apply: no patient stands behind" in said


def test_the_date_of_the_models_is_told_where_results_have_it() -> None:
    found = json.loads((ROOT / "reports" / "default" / "results.json").read_text("utf-8"))
    dated = tripod.document(found | {"trained_until": "2026-03-04"})
    assert "last training 2026-03-04" in re.search(r"^\| 6a \| .*$", dated, re.MULTILINE)[0]


@pytest.mark.parametrize("study", ["mtcmb", "best4sdt"])
def test_a_study_of_real_records_does_not_call_them_invented(study: str) -> None:
    assert "invented cases have no dates" not in table(study) and "Public records" in table(study)


def test_the_committed_table_is_the_one_that_is_written() -> None:
    assert readme.TRIPOD.read_text("utf-8") == table(tripod.STUDY), "run ./study readme"
