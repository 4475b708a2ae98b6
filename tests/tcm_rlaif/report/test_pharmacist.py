"""docs/data.md counts the rows of the tables as they are, and quotes the measured rates."""

import json

from tcm.knowledge import herbs
from tcm.knowledge.checks import mark
from tcm.knowledge.tables import review_rules
from tcm_rlaif.report import pharmacist, readme
from tcm_rlaif.study.params import ROOT

FOUND = json.loads((ROOT / "reports" / "review.json").read_text("utf-8"))


def test_the_counts_are_those_of_the_tables():
    rows = pharmacist.checked_rows()
    assert sum(rows["herbs"].values()) == len(herbs()) and sum(rows["review rules"].values()) == len(review_rules())
    assert rows["herbs"]["memory"] == sum(mark(herb.checked) == "memory" for herb in herbs().values())
    assert f"| {rows['herbs']['twice']} |" in pharmacist.marks()


def test_most_herbs_that_formulas_use_were_looked_up():
    used = pharmacist.checked_rows()["of these in our formulas"]
    assert used["twice"] > sum(used.values()) / 2 and used["memory"] < sum(used.values()) / 5


def test_every_rule_of_the_tables_has_a_measured_rate_and_none_cries_wolf():
    for name, row in FOUND.items():
        assert all(0 <= rate <= 1 for rate in row["kinds"].values()), name
        measured = {rule for rule, at in row["rules"].items() if at["about"]}
        assert {f"REVIEW-{n}" for n in range(1, len(review_rules()) + 1)} <= measured
    assert FOUND["best4sdt"]["kinds"]["safety high"] < 0.05 and FOUND["best4sdt"]["kinds"]["review high"] < 0.02


def test_what_each_measured_rule_is_about_is_still_so():
    for number, rule in enumerate(review_rules(), 1):
        about = " ".join((rule.kind, rule.herb, *rule.when[:1]))
        assert {row["rules"][f"REVIEW-{number}"]["about"] for row in FOUND.values()} == {about}


def test_the_docs_quote_both_where_they_stand():
    text = (ROOT / "docs" / "data.md").read_text("utf-8")
    assert readme.filled(text) == text and pharmacist.rates(FOUND) in text and pharmacist.marks() in text
