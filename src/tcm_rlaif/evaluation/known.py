"""What the judge knows and what of it is shown: floors, the oracle of the tables, the audit, the pre-flight's promise.

RLAIF can teach what its judge knows. So the judge's verdicts stand beside the floors made of the same knowledge, and
what the judge's choice was expected to bring before training beside what training then brought.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tcm.cases import Case
from tcm.metrics import human
from tcm.metrics.floors import pattern_oracle
from tcm_rlaif.evaluation import comparisons, stats, tables
from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.study import params
from tcm_rlaif.study.notebooks import TRAININGS
from tcm_rlaif.study.plan import find_run
from tcm_rlaif.study.schema import Params

METRICS = {"herb_base_f1": "herb F1, base level", "herb_f1": "herb F1, processing kept apart"}
ANSWERS = ("popularity", "nearest_case", "expert_rule", "expert", "pattern_oracle")
VERDICTS = {"own_above_other": "this patient's answer above another's", "order": "orders two other answers as herb F1"}
"""Figures of the audit against physicians that the table holds."""


def _case_means(table: pd.DataFrame, key: str) -> pd.Series:
    """Mean over seeds of a metric by case, cases without it left out."""
    return table.set_index("case_id")[key].astype(float).groupby(level=0).mean().dropna()


def _interval(values: pd.Series, evidence: Evidence, study: Params) -> dict[str, Any]:
    found = stats.over_cases(values.to_dict(), evidence.patient_of)
    return {**found.row("value", study.ablation_confidence), "n": found.n}


def knowledge(evidence: Evidence, test: Sequence[Case], study: Params) -> pd.DataFrame:
    """The judge and what it knows, in rows ``what``, ``of``, ``value`` with its interval over cases, ``n``.

    Herb F1 of what needs no model and of the oracle over all patterns on test cases; then each judge's figures against
    physicians on training and validation cases, with popularity's order beside, once for each run that labelled.

    Args:
        test: the test cases that were answered.
    """
    oracle = tables.score_answers(test, pattern_oracle([], test), [None] * len(test))
    scored = {**evidence.tables, "pattern_oracle": oracle}
    rows = [
        {"what": what, "of": name, **_interval(values, evidence, study)}
        for key, what in METRICS.items()
        for name in ANSWERS
        if len(scored.get(name, ())) and len(values := _case_means(scored[name], key))
    ]
    for run, labels in evidence.labels.items():
        for row in labels["physicians"]["rows"]:
            if row["scored_by"] == "score" and row["figure"] in VERDICTS:
                ends = {key: row[key] for key in ("value", "low", "high", "n")}
                rows.append({"what": VERDICTS[row["figure"]], "of": f"{row['judge']} ({run})", **ends})
    return pd.DataFrame(rows, columns=["what", "of", "value", "low", "high", "n"])


def start_of(study: Params, arm: str, seed: int) -> str | None:
    """The arm that answers with the model from which an arm's preference training started; None where there is none."""
    P = params.for_arm(study, arm)
    if "04_dpo" not in TRAININGS[P.training]:
        return None
    stage, training = ("02_sft", "sft") if "02_sft" in TRAININGS[P.training] else ("00_base_model", "none")
    start = find_run(study, stage, arm, seed)
    for other in study.arms:
        same = params.for_arm(study, other).training == training and params.has_seed(study, other, seed)
        if same and find_run(study, stage, other, seed) == start:
            return other
    return None


def starts(study: Params) -> dict[str, str]:
    """Each arm that learns the judge's choice, and the arm from whose model it starts."""
    found = {
        arm: start_of(study, arm, params.seeds_of(study, arm)[0])
        for arm in study.arms
        if learns_choice(params.for_arm(study, arm))
    }
    return {arm: start for arm, start in found.items() if start}


METRIC = "herb_base_f1"
"""What the pre-flight counts in, so that both gains are in the same unit."""


def promises(evidence: Evidence, study: Params) -> pd.DataFrame:
    """What the judge's choice was expected to bring, and what training on it brought, by arm and seed.

    Returns:
        One row for each arm that trains on the judge's choice and seed (none for an arm whose answers at the test are
        chosen of several: not all that it gains is of its training): number of ``candidates`` of a prompt;
        ``expected``, herb F1 (base level) of the judge's choice over the mean candidate, with its interval over
        prompts, of what was ``possible``; ``gain``, that of the arm over its ``start`` arm on the same ``n`` test
        cases, with its interval over cases. NaN where one of them is not known.
    """
    rows = []
    for arm in study.arms:
        P = params.for_arm(study, arm)
        if not learns_choice(P) or P.eval_number > 1:
            continue
        for seed in params.seeds_of(study, arm):
            folder = find_run(study, "03_rlaif_labels", arm, seed).folder.split("/", 1)[1]
            row: dict[str, Any] = {"arm": arm, "seed": seed}
            if flight := evidence.labels[folder]["preflight"]["rows"]:
                row |= {key: flight[-1][key] for key in ("candidates", "possible")} | {"expected": flight[-1]["gain"]}
                row |= {f"expected {end}": flight[-1][end] for end in ("low", "high")}
            if (start := start_of(study, arm, seed)) and len(gains := _gains(evidence, arm, start, seed)):
                found = _interval(gains, evidence, study)
                row |= {"start": start, "gain": found["value"], "n": found["n"]}
                row |= {f"gain {end}": found[end] for end in ("low", "high")}
            rows.append(row)
    columns = ["arm", "seed", "start", "candidates", "expected", "expected low", "expected high", "possible", "gain",
               "gain low", "gain high", "n"]  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=columns)


def learns_choice(P: Params) -> bool:
    """Whether an arm trains on what the judge chose; controls do not, and nothing was promised for them."""
    return "04_dpo" in TRAININGS[P.training] and P.preference_choice == "judged" and not comparisons.is_control(P)


def _gains(evidence: Evidence, arm: str, start: str, seed: int) -> pd.Series:
    """Case by case, one seed against the same seed; an untrained start has one seed for all."""

    def of(name: str) -> pd.Series:
        seeds = evidence.tables[name].groupby("seed")
        return _case_means(seeds.get_group(seed if seed in seeds.groups else min(seeds.groups)), METRIC)

    return (of(arm) - of(start)).dropna()


def agreement(found: pd.DataFrame) -> str:
    """Whether what was expected came, in a sentence."""
    both = found.dropna(subset=["expected", "gain"])
    promised = both[both["expected low"] > 0]
    if not len(promised):
        return "In no training did the judge's choice promise a gain that could be set beside one on the test cases."
    more, less = (promised["gain low"] > 0).sum(), (promised["gain high"] < 0).sum()
    expected, possible, gain = (f"{promised[key].mean():+.3f}" for key in ("expected", "possible", "gain"))
    return (
        f"In {len(promised)} of {len(both)} trainings the judge's choice promised a gain (interval above 0), "
        f"{expected} herb F1 (processing ignored) on average of the {possible} that a choice by the physicians' own "
        "answers would bring; "
        f"training brought {gain} on average, a gain in {more}, a loss in {less}, and nothing clear in "
        f"{len(promised) - more - less}."
    )


def diagnosis(evidence: Evidence, study: Params) -> pd.DataFrame:
    """The metric of the pattern that comes nearest to human agreement, by arm and floor, and that agreement first.

    Returns:
        Rows ``answers by``, ``value``, ``low``, ``high``, ``n``; only what physicians agree on where no case names a
        pattern.
    """
    rows = [{"answers by": "two practitioners on the whole pattern (another measure)", "value": human.PATTERN.mean}]
    for name in (*study.arms, *(floor for floor in ANSWERS if floor in evidence.tables)):
        values = _case_means(evidence.tables[name], human.COMPARED)
        rows += [{"answers by": name, **_interval(values, evidence, study)}] if len(values) else []
    return pd.DataFrame(rows).reindex(columns=["answers by", "value", "low", "high", "n"])
