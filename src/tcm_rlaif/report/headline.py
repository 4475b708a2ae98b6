"""What a study found, in the sentences that its report, the index and a comparison begin with; from `results.json`.

Every word on an effect is made from the numbers: difference with interval and verdict, the best floor of each task, the
safety of the physicians' own prescriptions, and what the study could not show.
"""

import math
import re
from collections.abc import Collection
from typing import Any

import pandas as pd

from tcm.metrics.intervals import ranged
from tcm_rlaif.evaluation import comparisons, standing, stats
from tcm_rlaif.report import audit_table
from tcm_rlaif.report.safety import KINDS

SOURCES = {
    "invented": "invented cases", "mtcmb": "textbook cases (MTCMB)", "best4sdt": "case records (TCM-BEST4SDT)",
    "tcmeval_sdt": "clinical records (TCMEval-SDT)", "own": "own case records",
}  # fmt: skip
WHOSE = {"invented": "invented physicians", "mtcmb": "textbooks"}
"""Who wrote the answers; elsewhere physicians did."""
IMITATION = "sft - base"
UNCLEAR = "no clear difference"  # in a verdict
WITHIN = "\n    - "  # an entry of a list within a list
FEW_CASES = 30  # test cases below which the weight of each is told; our choice: a rule of thumb for means
MOST = 6  # declared differences that the first screen tells; the others stand in the figure below it


def question(results: dict[str, Any]) -> str:
    """What was asked, of which cases and which model, in one sentence; and what the cases were no sample of."""
    train, answers = _cases(results, "train"), _answers(results)
    seeds, sizes = len(results["seeds"]), sorted(map(int, results.get("all_params", {}).get("sizes") or {}))
    many = f"{sizes[0]} to {sizes[-1]}" if sizes else answers
    then = " and then by AI feedback" if any(fed_back(arm, results) for arm in results["arms"]) else ""
    by_order = results["data"]["source"] != "invented" and "order" not in results["data"]  # older results
    first = " The answers it learned from are the first of the file, no sample of it." * (by_order and answers < train)
    return (
        f"How far do {many} answers of {whose(results)} take a language model of "
        f"{results['base']['parameters'] / 1e6:.1f} million parameters, by imitation (SFT){then}? "
        f"Tested on {_tested(results)} {source(results)}, {seeds} seed{'s' if seeds > 1 else ''}.{first}"
    )


def _cases(results: dict[str, Any], split: str) -> int:
    return next(row["cases"] for row in results["data"]["splits"] if row["split"] == split)


def _answers(results: dict[str, Any]) -> int:
    """How many answers SFT saw, at the largest size of those that a study asks at."""
    asked = results.get("all_params", {})
    largest = max(map(int, asked.get("sizes") or {}), default=asked.get("sft_cases")) or math.inf
    return min(_cases(results, "train"), largest)


def whose(results: dict[str, Any]) -> str:
    """Who wrote the answers."""
    return WHOSE.get(results["data"]["source"], "physicians")


def _tested(results: dict[str, Any]) -> int:
    """How many test cases were answered."""
    cases = _cases(results, "test")
    return min(cases, results.get("all_params", {}).get("eval_cases") or cases)


def source(results: dict[str, Any]) -> str:
    """What the cases are, in words."""
    return SOURCES[results["data"]["source"]]


def answer(results: dict[str, Any]) -> list[str]:
    """The answer in a few sentences: what imitation adds, what feedback adds, against which floor, and how safe."""
    rows = [row for metric in metrics(results) for row in results["comparisons"] if row["metric"] == metric]
    found: dict[str, list[dict[str, Any]]] = {}
    for row in [row for row in rows if row["declared"]] or rows:
        found.setdefault(row["arms"], []).append(row)
    said = _imitation([row for row in rows if row["arms"] == IMITATION], results)
    others = [pair for pair in found if pair != IMITATION]
    fed = [pair for pair in others if fed_back(pair.split(" - ")[0], results)]
    for head, pairs in (("AI feedback", fed), ("Beside it" if fed else "Asked", [p for p in others if p not in fed])):
        told = [f"{found[pair][0]['shows']} ({pair}): {_effects(found[pair])}" for pair in pairs[:MOST]]
        told += [f"and {len(pairs) - MOST} more"] if len(pairs) > MOST else []
        said += [_listed(f"**{head}**", told)] if told else []
    asked = {arm for pair in (IMITATION, *found) for arm in pair.split(" - ")}
    asked |= {best["arm"] for best, _ in _leaders(results)}
    return [*said, *_floors(results), *variety(results, asked), *_safety(results, asked)]


def _keys(arm: str, results: dict[str, Any]) -> dict[str, Any]:
    """What an arm changes of the documented defaults."""
    return results["params"] | results["params"].get("arms", {}).get(arm, {})


def trained(arm: str, results: dict[str, Any]) -> bool:
    """Whether an arm was trained at all."""
    return arm != "base" and _keys(arm, results).get("training") != "none"


def fewer_seeds(results: dict[str, Any]) -> dict[str, str]:
    """The arms that ran with too few seeds where others have more, with their number in words."""
    own = results.get("all_params", {}).get("arm_seeds") or {}
    return {arm: stats.seeds_in_words(len(seeds)) for arm, seeds in own.items() if len(seeds) < stats.MIN_SEEDS}


def findings(results: dict[str, Any]) -> list[str]:
    """The declared tests, and arms against floors, in today's words; `findings` of `results.json` has its day's."""
    tests = comparisons.findings(pd.DataFrame(results["comparisons"]))
    return tests + standing.said_of(results.get("standing", []), fewer_seeds(results), len(results["seeds"]))


def fed_back(arm: str, results: dict[str, Any]) -> bool:
    """Whether an arm learned from feedback, or has the judge choose among its answers at the test."""
    keys = _keys(arm, results)
    chosen = keys.get("eval_number", 1) > 1 and keys.get("eval_choice", "judge") == "judge"
    return keys.get("training", "sft_dpo") not in ("none", "sft") or chosen


def _listed(head: str, parts: list[str]) -> str:
    """One sentence of its parts; of several a list within the list."""
    return f"{head}: {parts[0]}." if len(parts) == 1 else f"{WITHIN.join([f'{head}:', *parts])}."


def plain(line: str) -> str:
    """A line of `answer` as running text: no marks, no list."""
    return line.replace("**", "").replace(f":{WITHIN}", ": ").replace(WITHIN, "; ")


def primary(results: dict[str, Any]) -> str:
    """The first declared metric."""
    return metrics(results)[0]


def metrics(results: dict[str, Any]) -> list[str]:
    """The declared metrics."""
    return results.get("declared", {}).get("primary", ["herb_f1"])


def _imitation(rows: list[dict[str, Any]], results: dict[str, Any]) -> list[str]:
    """What SFT adds; where no untrained model is compared with it, how far it comes."""
    metric = primary(results)
    base, sft = (results["arms"].get(arm, {}).get(metric) for arm in ("base", "sft"))
    if rows:
        ends = f" from {base['mean']:.2f} to {sft['mean']:.2f}," if base and sft else ""
        return [f"**Imitation (SFT)** changes {_effects(rows, ends)}."]
    if not sft:
        return []
    reached = f"{metric} {ranged(sft)}"
    return [f"**Imitation (SFT)** reaches {reached}; what it adds to the untrained model is not asked here."]


def _effects(rows: list[dict[str, Any]], ends: str = "") -> str:
    """What two arms differ by on the first declared metric, with its interval, and on others where it is clear.

    Args:
        rows: one a metric, the first declared one first.
        ends: both means of the first, in words.
    """
    first, *others = rows
    told = f"{first['metric']}{ends} by {ranged(first, 'difference', '+.3f')}, **{verdict(first)}**"
    if (first["low"] > 0 or first["high"] < 0) and UNCLEAR in first["verdict"]:  # else it seems to contradict itself
        told += f" after adjustment for all declared tests (p = {first['p_holm']:.3f})"
    clear: dict[str, list[str]] = {}
    for row in others:
        if row["declared"] and UNCLEAR not in row["verdict"]:
            clear.setdefault(verdict(row), []).append(f"{row['metric']} by {row['difference']:+.3f}")
    return "; ".join([told, *(f"{' and '.join(keys)}, **{shows}**" for shows, keys in clear.items())])


def verdict(row: dict[str, Any]) -> str:
    """The verdict, without the number of seeds where it is exploratory: the question tells it."""
    return re.sub(r".*: exploratory \((.+) there\)", r"\1, exploratory", row["verdict"])


def _leaders(results: dict[str, Any]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """For each task how the best trained arm stands to the best floor, and how all of them stand to every floor."""
    found = []
    for task in standing.TASKS:
        rows = [row for row in results.get("standing", []) if row["task"] == task and trained(row["arm"], results)]
        if ours := [row for row in rows if not row["knows"]]:
            of_all = [row for row in ours if row["arm"] not in fewer_seeds(results)] or ours
            found.append((max(of_all, key=lambda row: row["mean"]), rows))
    return found


def _floors(results: dict[str, Any]) -> list[str]:
    """For each task the best floor that needs no model, the best trained arm beside it, and the floor that knows."""
    said = []
    for best, rows in _leaders(results):
        knowing = {row["floor"]: row["value"] for row in rows if row["knows"]}
        more = [f"; {name}, which knows what the judge knows, has {value:.3f}" for name, value in knowing.items()]
        said.append(
            f"on {standing.TASKS[best['task']]} (n = {best['n']}) {best['floor']} has {best['metric']} "
            f"{best['value']:.3f}, the best trained arm, {best['arm']}, {best['mean']:.3f}: "
            f"{ranged(best, 'difference', '+.3f')}, **{best['stands']}**{''.join(more)}"
        )
    if said:
        return [_listed("**Without any model** (shown, not among the declared tests)", said)]
    return [line for line in results.get("findings", []) if line.startswith("On ") and "knows what" not in line]


def variety(results: dict[str, Any], asked: Collection[str]) -> list[str]:
    """How many of one seed's prescriptions are different ones: what a model says that gives every patient the same."""
    shares = {row["answers by"]: row["distinct"] for row in results.get("collapse", []) if (row["n"] or 0) > 0}
    arms = [arm for arm in results["arms"] if arm in asked and arm in shares and trained(arm, results)]
    if "gold" not in shares or not arms:
        return []
    few = fewer_seeds(results)
    told = ", ".join(f"{arm} {shares[arm]:.0%}" + (f" ({few[arm]})" if arm in few else "") for arm in arms)
    own = f"of the {whose(results)}' own {shares['gold']:.0%}"
    return [f"**Different prescriptions** among the answers of one seed (same herbs = same): {own}; {told}."]


def _safety(results: dict[str, Any], asked: set[str]) -> list[str]:
    """How many prescriptions of each trained arm that is asked about have a safety finding, beside the physicians'."""
    rows = {row["answers by"]: row for row in results.get("safety", []) if row["n"]}
    arms = [name for name in results["arms"] if name in rows and name in asked and trained(name, results)]
    if "gold" not in rows or not arms:
        return []
    asked_of = {name: max(c["n"] * len(c["seeds"]) for c in results["arms"][name].values()) for name in arms}
    told = ", ".join(f"{name} {_rates(rows[name], asked_of[name])}" for name in arms)
    silent = [name for name in results["arms"] if name in asked and _wrote_nothing(name, results)]
    told += f"; no prescription at all by {', '.join(silent)}" if silent else ""
    said = f"the {whose(results)}' own {_rates(rows['gold'], rows['gold']['n'])}; {told}."
    if "safety_excess" in results:  # results of older studies have none
        more = [f"{KINDS[kind]} in {_above(KINDS[kind], arms, results)}" for kind in ("any", "high")]
        said += f" Clearly more often than theirs: {', '.join(more)}."
    return [f"**Safety**, prescriptions with any finding (of high severity): {said}"]


def _wrote_nothing(arm: str, results: dict[str, Any]) -> bool:
    return trained(arm, results) and any(row["answers by"] == arm and not row["n"] for row in results["safety"])


def _rates(row: dict[str, Any], answers: int) -> str:
    """Share of prescriptions with a finding, and of high severity; of how many, where a tenth of answers has none."""
    few = f" of {row['n']} in {answers} answers" if row["n"] <= 0.9 * answers else ""
    return f"{row['any']:.0%}{few} ({row['high']:.1%})"


def _above(finding: str, arms: list[str], results: dict[str, Any]) -> str:
    """In which arms a finding is more frequent than in the physicians' prescriptions by its interval."""
    clear = {row["arm"] for row in results["safety_excess"] if row["finding"] == finding and row["low"] > 0}
    above = [arm for arm in arms if arm in clear]
    return "all of them" if above == arms else ", ".join(above) or "none"


def not_shown(results: dict[str, Any]) -> list[str]:
    """What this study does not show, and why: differences too small for it, few seeds, the judge, the cases."""
    metric, said = primary(results), []
    open_ = [
        row["arms"] + (f" (detectable from {row['mdd']:.3f} unadjusted)" if (row["mdd"] or 0) > 0 else "")  # may be NaN
        for row in results["comparisons"]
        if row["declared"] and row["metric"] == metric and UNCLEAR in row["verdict"]
    ]
    if open_:
        said.append(f"a difference in {metric} of {', '.join(open_)}")
    if (fewer := fewer_seeds(results)) and len(results["seeds"]) >= stats.MIN_SEEDS:
        arms = ", ".join(f"{arm} ({seeds})" for arm, seeds in fewer.items())
        said.append(f"anything beyond these trainings of {arms}: their verdicts are exploratory")
    elif any(row.get("exploratory") for row in results["comparisons"] if row["declared"]):
        said.append(f"anything beyond this training: {len(results['seeds'])} seed(s), so every verdict is exploratory")
    if (tested := _tested(results)) < FEW_CASES:
        said.append(f"anything beyond these {tested} test cases: each weighs {1 / tested:.0%} of a mean")
    said += audit_table.counts(audit_table.rows(results))
    if results["data"]["source"] == "invented":
        said.append("anything about patients: the cases are invented")
    return said
