"""Write herbs with doses and notes as ``柴胡10g，龙骨20-30g（先煎）``."""

from collections.abc import Iterable
from decimal import Decimal

from tcm.cases import PrescriptionItem


def write_number(value: float) -> str:
    """A dose without exponent and needless zeros: 9, 0.5, 0.00001."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def write_dose(item: PrescriptionItem) -> str:
    """The dose with its unit, as 9g, 20-30g, 1.5钱; nothing where there is none."""
    if item.dose is None:
        return ""
    high = "" if item.dose_high is None else f"-{write_number(item.dose_high)}"
    return write_number(item.dose) + high + item.unit


def write_items(items: Iterable[PrescriptionItem]) -> str:
    """Herbs with doses and notes, as ``柴胡10g，龙骨20-30g（先煎）``."""
    return "，".join(item.herb + write_dose(item) + (item.note and f"（{item.note}）") for item in items)
