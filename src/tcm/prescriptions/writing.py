"""Write herbs with doses and notes as ``柴胡10g，龙骨20-30g（先煎）``, or as a change: ``守上方，去柴胡``."""

from collections.abc import Iterable, Sequence
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


def write_changes(previous: Sequence[PrescriptionItem], items: Sequence[PrescriptionItem]) -> str:
    """Write a prescription as a change of the previous one: ``守上方，去柴胡，加白术10g，黄芪增至30g``.

    What is taken out comes first, then what is put in, then new doses; ``守上方`` alone where nothing changed.
    `changes` reads it back: herbs that stay come in the previous order, new ones after them.
    """
    before, after = ({item.herb: item for item in side} for side in (previous, items))
    out = "、".join(herb for herb in before if herb not in after)
    put_in = write_items(item for herb, item in after.items() if herb not in before)
    parts = ["守上方", out and f"去{out}", put_in and f"加{put_in}"]
    parts += [_redosed(before[herb], item) for herb, item in after.items() if item != before.get(herb, item)]
    return "，".join(filter(None, parts))


def _redosed(before: PrescriptionItem, now: PrescriptionItem) -> str:
    """A herb that stays with another dose or note: 增至, 减至, or 改为; a note that stays is not repeated."""
    verb = "改为"
    if None not in (before.dose, now.dose) and before.unit == now.unit and before.dose != now.dose:
        verb = "增至" if now.dose > before.dose else "减至"
    note = f"（{now.note}）" if now.note not in ("", before.note) else ""
    return f"{now.herb}{verb}{write_dose(now)}{note}"
