"""Doses that the audit could not hold against a range: said, so that nobody takes silence for "fine"."""

from collections.abc import Sequence

from tcm.cases import PrescriptionItem
from tcm.knowledge import dose_in_g, herb_info, resolve_herb
from tcm.prescriptions.safety import taken


def not_checked(prescription: Sequence[PrescriptionItem], usage: str = "") -> list[str]:
    """One line a herb whose dose was not compared, and why (a single one where no herb has a dose).

    Herbs that no table holds are findings of `safety.audit` and not repeated here.

    Args:
        prescription: the herbs of one daily packet.
        usage: as for `safety.audit`.
    """
    if prescription and all(item.dose is None for item in prescription):
        return ["no herb has a dose"]
    lines = []
    for item in prescription:
        if (name := resolve_herb(item.herb)) and (why := _why(item, name.canonical, usage)):
            lines.append(f"{item.herb}: {why}")
    return lines


def _why(item: PrescriptionItem, canonical: str, usage: str) -> str:
    """Why the dose of a known herb was not compared; empty where it was."""
    if item.dose is None:
        return "no dose given"
    if not taken(item, usage):
        return "external use, for which the tables have no range"
    if dose_in_g(item) is None:
        return f"{item.dose:g} {item.unit} is no weight that the tables know"
    return "" if herb_info(canonical).dose_max_g is not None else "the tables have no range for internal use"
