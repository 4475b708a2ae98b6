"""Incompatible herbs are found by the rules of the table, one by one, in the order of the rules and of the names."""

import random

from tcm.cases import PrescriptionItem
from tcm.knowledge import groups, herb_info, herbs, incompatibilities
from tcm.prescriptions.safety import audit


def by_the_rules(names: list[str]) -> list[tuple[str, tuple[str, str]]]:
    """Each rule with each pair of base herbs that it names, as the table is read aloud."""
    bases = {herb_info(name).base for name in names}
    return [
        (f"IC-{rule.rule}", (a, b))
        for rule in incompatibilities()
        for a in sorted(groups()[rule.group_a] & bases)
        for b in sorted(groups()[rule.group_b] & bases)
        if a != b
    ]


def test_pairs_are_those_of_the_table() -> None:
    dice, named = random.Random(2), sorted({herb for members in groups().values() for herb in members})
    found_any = 0
    for _ in range(300):
        names = dice.sample(named, dice.randint(0, 6)) + dice.sample(sorted(herbs()), dice.randint(0, 8))
        items = [PrescriptionItem(herb=name, dose=1) for name in dict.fromkeys(names)]
        found = [f for f in audit(items) if f.kind == "incompatibility"]
        assert [(f.rule, f.herbs) for f in found] == by_the_rules(names)
        found_any += bool(found)
    assert found_any > 50


def test_every_rule_can_be_broken() -> None:
    for rule in incompatibilities():
        a, b = next((a, b) for a in groups()[rule.group_a] for b in groups()[rule.group_b] if a != b)
        found = audit([PrescriptionItem(herb=a, dose=1), PrescriptionItem(herb=b, dose=1)])
        assert f"IC-{rule.rule}" in {f.rule for f in found}
