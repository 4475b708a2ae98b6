"""A dose that nothing was held against is said, and a finding says how far its row was looked up."""

import pytest

from tcm.cases import PrescriptionItem
from tcm.knowledge import herbs
from tcm.knowledge.checks import MARKS, mark
from tcm.prescriptions.safety import audit
from tcm.prescriptions.unchecked import not_checked

NO_RANGE = next(herb for herb in herbs().values() if herb.dose_max_g is None)
MEMORY = next(h for h in herbs().values() if mark(h.checked) == "memory" and h.dose_max_g and not h.routes)


@pytest.mark.parametrize(
    ("item", "usage", "said"),
    [
        (PrescriptionItem(herb="大枣", dose=3, unit="把"), "", "大枣: 3 把 is no weight that the tables know"),
        (PrescriptionItem(herb="生姜", dose=30, unit="ml"), "", "生姜: 30 ml is no weight that the tables know"),
        (PrescriptionItem(herb="白矾", dose=10, note="外洗"), "", "白矾: external use, for which"),
        (PrescriptionItem(herb="白矾", dose=10), "外用", "白矾: external use, for which"),
        (PrescriptionItem(herb=NO_RANGE.name, dose=1), "", f"{NO_RANGE.name}: the tables have no range"),
        (PrescriptionItem(herb="大枣", dose=3, unit="枚"), "", ""),
        (PrescriptionItem(herb="附子", dose=300), "", ""),
        (PrescriptionItem(herb="鑫淼", dose=3, unit="把"), "", ""),
    ],
)
def test_why_a_dose_was_not_checked(item, usage, said):
    lines = not_checked([item, PrescriptionItem(herb="黄芪", dose=10, note="")], usage)
    mine = [line for line in lines if line.startswith(item.herb)]
    assert len(mine) == bool(said) and all(line.startswith(said) for line in mine)


def test_a_missing_dose_is_said_once_where_all_are_missing():
    herbs_only = [PrescriptionItem(herb="黄芪"), PrescriptionItem(herb="当归")]
    assert not_checked(herbs_only) == ["no herb has a dose"] and not_checked([]) == []
    assert not_checked([*herbs_only, PrescriptionItem(herb="白术", dose=9)]) == [
        "黄芪: no dose given",
        "当归: no dose given",
    ]


@pytest.mark.parametrize("dose", [0.001, 3, 1e4])
def test_a_dose_is_compared_or_said_not_to_be(dose):
    """Far out of every range: a finding, or a line that says why there is none."""
    for unit in ("g", "钱", "把", "枚", "ml"):
        for name in list(herbs())[::40]:
            item = PrescriptionItem(herb=name, dose=dose, unit=unit)
            found = any(f.kind in ("overdose", "underdose") for f in audit([item]))
            silent = not not_checked([item])
            assert not (found and not silent) and (dose == 3 or found or not silent), (name, unit)


def test_a_finding_from_memory_says_so_and_one_that_was_looked_up_does_not():
    (finding,) = [f for f in audit([PrescriptionItem(herb=MEMORY.name, dose=5000)]) if f.kind == "overdose"]
    assert finding.checked == "memory" and finding.detail.endswith("; from memory, not looked up")
    (finding,) = [f for f in audit([PrescriptionItem(herb="附子", dose=5000)]) if f.kind == "overdose"]
    assert finding.checked == "twice" and "memory" not in finding.detail


def test_every_finding_by_a_table_has_a_mark():
    items = [PrescriptionItem(herb=name, dose=1e4) for name in list(herbs())[::7]]
    for finding in audit(items):
        assert (finding.checked in MARKS) == (finding.kind not in ("unknown_herb", "duplicate_herb", "packets"))
