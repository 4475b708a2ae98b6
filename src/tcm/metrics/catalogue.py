"""Every metric of one case by key: what it computes, its range, which way is better, and where it comes from.

`score_case` returns exactly these keys. Tables and reports take their wording from here.
"""

from dataclasses import dataclass
from typing import Literal

OURS = "our choice"


@dataclass(frozen=True)
class Metric:
    """What a key of `score_case` means.

    Args:
        key: stable name.
        formula: with y the gold and ŷ the answer's set, d and d̂ doses in g of one packet.
        low: smallest possible value.
        high: largest possible value; None = no upper end.
        better: which way is better; ``none`` where the number only describes.
        source: paper, public scorer, or our choice.
    """

    key: str
    formula: str
    low: float
    high: float | None
    better: Literal["higher", "lower", "none"]
    source: str


def _share(key: str, formula: str, source: str = OURS) -> Metric:
    return Metric(key, formula, 0, 1, "higher", source)


RIJSBERGEN = "van Rijsbergen (1979)"
LINGLAN = "LingLan (arXiv 2602.01779), our reading"


def _herbs(prefix: str, level: str) -> tuple[Metric, ...]:
    return (
        _share(f"{prefix}_precision", f"|y∩ŷ|/|ŷ| of herbs, {level}", RIJSBERGEN),
        _share(f"{prefix}_recall", f"|y∩ŷ|/|y| of herbs, {level}", RIJSBERGEN),
        _share(f"{prefix}_f1", f"2|y∩ŷ|/(|y|+|ŷ|) of herbs, {level}; its mean is f1_macro_case", RIJSBERGEN),
        _share(f"{prefix}_jaccard", f"|y∩ŷ|/|y∪ŷ| of herbs, {level}", "Jaccard (1912)"),
        _share(f"{prefix}_size", f"1-||y|-|ŷ||/max(|y|,|ŷ|), {level}; blind to the patient", "TCM-TBOSD avg_herb"),
    )


METRICS: tuple[Metric, ...] = (
    *_herbs("herb", "canonical names (processing kept apart)"),
    *_herbs("herb_base", "base herbs (processing ignored)"),
    _share("dose_coverage", "|y∩ŷ|/|y| of herbs with a dose"),
    _share("dose_overlap", "Σmin(d,d̂)/Σmax(d,d̂) over y∪ŷ, absent = 0 g", "Ruzicka similarity"),
    _share("dose_cosine", "Σdd̂/(‖d‖‖d̂‖) over y∪ŷ, absent = 0 g; blind to scale", LINGLAN),
    Metric("dose_mae_g", "mean |d̂-d| over y∩ŷ, g; None without a match", 0, None, "lower", LINGLAN),
    Metric("dose_mae_union_g", "mean |d̂-d| over y∪ŷ, absent = 0 g", 0, None, "lower", OURS),
    Metric("dose_abs_log2_ratio", "mean |log2(d̂/d)| over y∩ŷ; 1 = a factor of two", 0, None, "lower", OURS),
    _share("dose_in_range", "share of ŷ with a dose in the tabulated range; unknown herb or no dose = not", OURS),
    _share("disease_exact", "1 if the disease is equal to the letter"),
    _share("disease_f1", "F1 of disease labels, closing 证/症/病 dropped"),
    _share("syndrome_exact", "1 if the syndrome is equal to the letter"),
    _share("syndrome_f1", "F1 of syndrome labels, closing 证/症/病 dropped"),
    _share("formula_exact", "1 if the formula is equal to the letter"),
    _share("formula_f1", "F1 of canonical formulas; 甲合乙 names two, 加减 is ignored"),
    _share("principle_f1", "F1 of phrases of the treatment principle"),
    _share("principle_dice", "Dice of character bigrams within phrases, with multiplicity", "Dice (1945)"),
    _share("followup_retained_f1", "F1 of herbs kept from the previous prescription"),
    _share("followup_added_f1", "F1 of herbs added to it"),
    _share("followup_removed_f1", "F1 of herbs removed from it"),
    _share("followup_change_f1", "F1 of all additions and removals; copying scores 0 where gold changed anything"),
    _share("followup_dose_direction", "share of retained herbs with the dose up, down or unchanged as in gold"),
    Metric("followup_gain", "herb_f1 minus herb_f1 of the previous prescription", -1, 1, "higher", OURS),
    _share("mtcmb_pr_composite", "(J+F1+size)/3 of names as written", "MTCMB TCM-PR"),
    _share("usable", "1 if it ends, reads completely, names known herbs once, with doses, no finding of high severity"),
    _share("format_valid", "1 if the answer has the agreed layout"),
    Metric("herb_repetition", "share of herbs that repeat an earlier one, as written", 0, 1, "lower", OURS),
    Metric("ngram_repetition", "share of character 4-grams that occurred before", 0, 1, "lower", "arXiv 1908.04319"),
    Metric("length", "characters", 0, None, "none", OURS),
    _share("finished", "1 if generation ended by itself (EOS) and not by the length limit"),
    _share("bleu4", "sentence BLEU-4 on characters, sacrebleu; secondary", "Papineni et al. (2002)"),
    _share("rouge_l", "LCS F, beta = 1, on characters; secondary", "Lin (2004)"),
)

PRIMARY = (
    "herb_f1",
    "herb_base_f1",
    "herb_jaccard",
    "dose_overlap",
    "disease_f1",
    "syndrome_f1",
    "followup_change_f1",
    "followup_gain",
)
"""Metrics that judge a study; higher is better. No attack of `floors` may beat the gold answer on any of them."""
