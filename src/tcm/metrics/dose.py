"""Agreement of doses in grams for one daily packet.

Errors over matched herbs alone reward the answer that names one sure herb, and cosine does not see that every
dose was doubled. So coverage stands beside the errors, and `overlap` (which sees missing herbs, surplus herbs
and scale alike) is the primary one.
"""

from collections.abc import Iterable, Mapping
from math import fsum, log2, sqrt
from operator import mul

from tcm.cases import PrescriptionItem
from tcm.knowledge import dose_in_g, herb_info, resolve_herb
from tcm.metrics.sets import herb_at


def grams(items: Iterable[PrescriptionItem]) -> dict[str, float]:
    """Herb → grams in one packet; a herb written twice counts with its sum, as it would be dispensed.

    Herbs without a dose, or with one that no table converts to grams, are left out.
    """
    doses: dict[str, float] = {}
    for item in items:
        amount = dose_in_g(item)
        if amount:
            herb = herb_at(item.herb, "canonical")
            doses[herb] = doses.get(herb, 0.0) + amount
    return doses


def dose_agreement(gold: Mapping[str, float], pred: Mapping[str, float]) -> dict[str, float | None]:
    """Dose agreement over herb → grams.

    Args:
        gold: doses of the gold answer in g, not empty, all above 0.
        pred: doses of the answer in g, all above 0.

    Returns:
        `coverage` |∩|/|gold| (0 to 1);
        `overlap` Σmin(d,d̂)/Σmax(d,d̂) over the union, absent = 0 g (0 to 1, 1 only for equal prescriptions);
        `cosine` of the dose vectors over the union, absent = 0 g (0 to 1, blind to scale);
        `mae_g` mean |d̂-d| over matched herbs (0 up, None without a match);
        `mae_union_g` the same over the union, absent = 0 g (0 up);
        `abs_log2_ratio` mean |log2(d̂/d)| over matched herbs (0 up; 1 = a factor of two; None without a match).

    Source: cosine and MAE as named by LingLan (arXiv 2602.01779), whose formulas are unpublished: the union with
        absent = 0 is our reading. `overlap` is the Ruzicka similarity. The rest is our choice, for the holes above.
    """
    matched, union = gold.keys() & pred.keys(), gold.keys() | pred.keys()  # in any order: fsum rounds once
    truth, answer = [gold.get(h, 0.0) for h in union], [pred.get(h, 0.0) for h in union]
    apart = [abs(p - g) for g, p in zip(truth, answer, strict=True)]
    errors = [abs(pred[h] - gold[h]) for h in matched]
    ratios = [abs(log2(pred[h] / gold[h])) for h in matched]
    return {
        "coverage": len(matched) / len(gold),
        "overlap": fsum(map(min, truth, answer)) / fsum(map(max, truth, answer)),
        "cosine": _cosine(truth, answer),
        "mae_g": fsum(errors) / len(errors) if errors else None,
        "mae_union_g": fsum(apart) / len(union),
        "abs_log2_ratio": fsum(ratios) / len(ratios) if ratios else None,
    }


def _cosine(gold: list[float], pred: list[float]) -> float:
    gold_norm, pred_norm = sqrt(fsum(map(mul, gold, gold))), sqrt(fsum(map(mul, pred, pred)))
    if not gold_norm or not pred_norm:
        return 0.0
    return min(1.0, fsum(map(mul, gold, pred)) / (gold_norm * pred_norm))


def in_range_rate(items: Iterable[PrescriptionItem]) -> float | None:
    """Share of herbs whose dose lies in the tabulated daily range, 0 to 1; needs no gold answer.

    An unknown herb and a missing dose count as not in range, for nobody can say that they are. Herbs for which
    the tables give no range are left out. None where no herb is left.

    Source: our choice; ranges from `knowledge` with the source of each row.
    """
    verdicts = [v for v in (_in_range(item) for item in items) if v is not None]
    return sum(verdicts) / len(verdicts) if verdicts else None


def _in_range(item: PrescriptionItem) -> bool | None:
    resolved = resolve_herb(item.herb)
    if resolved is None:
        return False
    herb, amount = herb_info(resolved.canonical), dose_in_g(item)
    if herb.dose_min_g is None or herb.dose_max_g is None:
        return None
    return amount is not None and herb.dose_min_g <= amount <= herb.dose_max_g
