"""What a study found, in the sentences that its report, the index and a comparison begin with; from `results.json`.

Every word on an effect is made from the numbers: difference with interval and verdict, the best floor of each task, the
safety of the physicians' own prescriptions, and what the study could not show.
"""

from typing import Any

from tcm_rlaif.evaluation import standing
from tcm_rlaif.report import audit_table

SOURCES = {
    "invented": "invented cases", "mtcmb": "textbook cases (MTCMB)", "best4sdt": "case records (TCM-BEST4SDT)",
    "tcmeval_sdt": "clinical records (TCMEval-SDT)", "own": "own case records",
}  # fmt: skip
IMITATION = "sft - base"
WITHIN = "\n    - "  # an entry of a list within a list
MOST = 4  # declared differences that the first screen tells; the others stand in the figure below it


def question(results: dict[str, Any]) -> str:
    """What was asked, of which cases and which model, in one sentence."""
    split = {row["split"]: row["cases"] for row in results["data"]["splits"]}
    answers = results.get("all_params", {}).get("sft_cases") or split["train"]
    seeds = len(results["seeds"])
    return (
        f"How far do {min(answers, split['train'])} answers of physicians take a language model of "
        f"{results['base']['parameters'] / 1e6:.1f} million parameters, by imitation (SFT) and then by AI feedback? "
        f"Tested on {split['test']} {source(results)}, {seeds} seed{'s' if seeds > 1 else ''}."
    )


def source(results: dict[str, Any]) -> str:
    """What the cases are, in words."""
    return SOURCES[results["data"]["source"]]


def answer(results: dict[str, Any]) -> list[str]:
    """The answer in a few sentences: what imitation adds, what feedback adds, against which floor, and how safe."""
    metric = primary(results)
    found = {row["arms"]: row for row in results["comparisons"] if row["metric"] == metric}
    tested = {name: row for name, row in found.items() if row.get("declared")}
    said = [_imitation(found[IMITATION], results)] if IMITATION in found else []
    others = [row for name, row in (tested or found).items() if name != IMITATION]
    fed = [row for row in others if _fed_back(row["arms"].split(" - ")[0], results)]
    for head, rows in (("AI feedback", fed), ("Beside it" if fed else "Asked", [r for r in others if r not in fed])):
        told = [f"{row['shows']} ({row['arms']}): {_effect(row)}" for row in rows[:MOST]]
        told += [f"and {len(rows) - MOST} more"] if len(rows) > MOST else []
        said += [_listed(f"**{head}**, on {metric}", told)] if told else []
    return [*said, *_floors(results), *_safety(results)]


def _keys(arm: str, results: dict[str, Any]) -> dict[str, Any]:
    """What an arm changes of the documented defaults."""
    return results["params"] | results["params"].get("arms", {}).get(arm, {})


def _trained(arm: str, results: dict[str, Any]) -> bool:
    return arm != "base" and _keys(arm, results).get("training") != "none"


def _fed_back(arm: str, results: dict[str, Any]) -> bool:
    """Whether an arm learned from feedback, or has the judge choose among its answers at the test."""
    keys = _keys(arm, results)
    return keys.get("training", "sft_dpo") not in ("none", "sft") or keys.get("eval_number", 1) > 1


def _listed(head: str, parts: list[str]) -> str:
    """One sentence of its parts; of several a list within the list."""
    return f"{head}: {parts[0]}." if len(parts) == 1 else f"{WITHIN.join([f'{head}:', *parts])}."


def plain(line: str) -> str:
    """A line of `answer` as running text: no marks, no list."""
    return line.replace("**", "").replace(f":{WITHIN}", ": ").replace(WITHIN, "; ")


def primary(results: dict[str, Any]) -> str:
    """The first declared metric."""
    return results.get("declared", {}).get("primary", ["herb_f1"])[0]


def _imitation(row: dict[str, Any], results: dict[str, Any]) -> str:
    means = [results["arms"].get(arm, {}).get(row["metric"], {}).get("mean") for arm in ("base", "sft")]
    of = f" (from {means[0]:.2f} to {means[1]:.2f})" if None not in means else ""
    return f"**Imitation (SFT)** changes {row['metric']} by {_effect(row)}{of}."


def _effect(row: dict[str, Any]) -> str:
    verdict = f", **{row['verdict']}**" if "verdict" in row else ""  # results of older studies have none
    apart = row["low"] > 0 or row["high"] < 0
    if apart and "no clear difference" in verdict:  # else the interval seems to contradict the verdict
        verdict += f" after adjustment for all declared tests (p = {row['p_holm']:.3f})"
    return f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]{verdict}"


def _floors(results: dict[str, Any]) -> list[str]:
    """For each task the best floor that needs no model, and the best trained arm beside it."""
    said = []
    rows = [row for row in results.get("standing", []) if not row["knows"]]
    for task, words in standing.TASKS.items():
        found = [row for row in rows if row["task"] == task and _trained(row["arm"], results)]
        if found:
            best, floor = max(found, key=lambda row: row["mean"]), found[0]
            ends = f"{best['difference']:+.3f} [{best['low']:+.3f}, {best['high']:+.3f}]"
            said.append(
                f"on {words} (n = {floor['n']}) {floor['floor']} has {floor['value']:.3f}, the best trained arm, "
                f"{best['arm']}, {best['mean']:.3f}: {ends}, **{best['stands']}**"
            )
    if said:
        return [_listed("**Without any model**", said)]
    return [line for line in results.get("findings", []) if line.startswith("On ") and "knows what" not in line]


def _safety(results: dict[str, Any]) -> list[str]:
    """How many prescriptions of each trained arm have a safety finding, beside the physicians' own."""
    rows = {row["answers by"]: row for row in results.get("safety", [])}
    arms = [name for name in results["arms"] if name in rows and _trained(name, results)]
    arms = [name for name in arms if rows[name]["any"] is not None]
    if "gold" not in rows or not arms:
        return []
    told = ", ".join(f"{name} {_rates(rows[name])}" for name in arms[:MOST])
    more = f", and {len(arms) - MOST} more" if len(arms) > MOST else ""
    return [
        f"**Safety**, share of prescriptions with any finding (of high severity): {told}{more}; the physicians' own "
        f"{_rates(rows['gold'])}."
    ]


def _rates(row: dict[str, Any]) -> str:
    high = f" ({row['high']:.0%})" if row.get("high") is not None else ""
    return f"{row['any']:.0%}{high}"


def lines(results: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The floors that the first figure draws, by metric: the best plain one of each task, and the best knowing one."""
    found = {}
    for metric, floors in results["lines"].items():
        knowing = {name: floors[name] for name in standing.KNOWING if name in floors}
        plain = {name: value for name, value in floors.items() if name not in knowing}
        best = [standing.COMBINED] if standing.COMBINED in plain else sorted(plain, key=plain.__getitem__)[-1:]
        best += [max(knowing, key=knowing.__getitem__)] if knowing else []
        found[metric] = {name: floors[name] for name in best}
    return found


def not_shown(results: dict[str, Any]) -> list[str]:
    """What this study does not show, and why: differences too small for it, few seeds, the judge, the cases."""
    metric, said = primary(results), []
    open_ = [
        row
        for row in results["comparisons"]
        if row.get("declared") and row["metric"] == metric and "no clear difference" in row["verdict"]
    ]
    for row in open_:
        least = f", which below {row['mdd']:.3f} could not have been seen" if row.get("mdd") else ""
        said.append(f"{row['shows']} ({row['arms']}){least}")
    if any(row.get("exploratory") for row in results["comparisons"] if row.get("declared")):
        said.append(f"anything beyond this training: {len(results['seeds'])} seed(s), so every verdict is exploratory")
    rows = audit_table.rows(results)
    if rows:
        said += audit_table.counts(rows)
    if results["data"]["source"] == "invented":
        said.append("anything about patients: the cases are invented")
    return said


def said(results: dict[str, Any]) -> str:
    """Question and answer of a study; of results that an older version wrote, that they tell none."""
    try:
        return f"{question(results)}\n\n{markdown(results)}"
    except KeyError as error:
        return f"Its results hold no {error}: ./study report {results['study']} writes them again."


def markdown(results: dict[str, Any]) -> str:
    """The first screen's text, as a list."""
    lines = [f"- {line}" for line in answer(results)]
    if missing := not_shown(results):
        lines.append(f"- **Not shown:** {'; '.join(missing)}.")
    over = results.get("intervals", "intervals over cases")  # results of older studies have none
    return "\n".join([*lines, f"\nIn square brackets: {over}."])
