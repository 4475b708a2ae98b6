"""What was measured once, apart from any study, as text for the docs: one function for each `reports/NAME.json`."""

from functools import partial
from pathlib import Path
from typing import Any

from tcm.files import read_json
from tcm.metrics.intervals import ranged
from tcm_rlaif.report import pharmacist
from tcm_rlaif.study.damage import named

SHOWN_FLOORS = ("popularity", "nearest_case", "expert_rule", "expert")


def jury(found: dict[str, Any]) -> str:
    """Whether a small local model is worth asking as a judge, in a paragraph (`tests/benchmarks/measure_jury.py`)."""
    said, share = [], partial(ranged, of="value", form=".2f")
    change = partial(share, form="+.2f")
    for mode in (mode for mode in ("pointwise", "pairwise") if mode in found):
        judges, gain = found[mode]["judges"], found[mode]["gain"]
        model, evidence = judges["transformers"], judges["evidence"]
        said.append(
            f"Asked {mode} about {found[mode]['cases']} short case records ({found['source']}, no test cases), "
            f"`{found['model']}` alone puts this patient's answer above another's in {share(model['patient'])} "
            f"(chance 0.5; `evidence` {share(evidence['patient'])}), orders two other answers as their herb F1 does "
            f"in {share(model['order'])} (`evidence` {share(evidence['order'])}, popularity "
            f"{share(judges['popularity']['order'])}), and sees a planted defect in {share(model['defects'])} "
            f"(`evidence` {share(evidence['defects'])}), for {model['cpu_seconds']:.1f} CPU seconds an answer "
            f"(`evidence` {evidence['cpu_seconds']:.3f}). On a jury with rubric and evidence it changes these by "
            f"{change(gain['patient'])}, {change(gain['order'])} and {change(gain['defects'])}: {_worth(gain)}."
        )
    return " ".join(said)


def _worth(gain: dict[str, dict[str, Any]]) -> str:
    """The verdict, from the intervals."""
    better = [name for name, cell in gain.items() if cell["low"] > 0]
    worse = [name for name, cell in gain.items() if cell["high"] < 0]
    parts = [f"{word} on {' and '.join(names)}" for word, names in (("better", better), ("worse", worse)) if names]
    return f"with it the jury is {', '.join(parts)}" if parts else "no difference is shown"


def proxies(found: dict[str, Any]) -> str:
    """Whether learned syndrome proxies find better similar cases than shared characters and signs, as a table and a
    sentence (`tests/benchmarks/measure_proxies.py`)."""
    lines = ["| hidden states of | training cases | alike by | syndrome F1 | herb F1 |", "|---" * 5 + "|"]
    verdicts: dict[str, list[str]] = {"better": [], "worse": [], "no clear difference": []}
    for model, sources in found.items():
        for source, table in sources.items():
            rows = {(row["alike by"], row["measure"]): row for row in table["rows"]}
            for how in dict.fromkeys(name for name, _ in rows):
                cells = " | ".join(_alike(rows[how, key]) for key in ("syndrome_f1", "herb_f1"))
                lines.append(f"| {model} | {source} ({table['cases']}) | {how} | {cells} |")
            for key in ("syndrome_f1", "herb_f1"):
                row = rows["proxies", key]
                verdict = "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "no clear difference"
                verdicts[verdict].append(f"{key} of {source} ({model})")
    said = "; ".join(f"{verdict}: {', '.join(where)}" for verdict, where in verdicts.items() if where)
    return "\n".join([*lines, "", f"Proxies against trigrams: {said}."])


def _alike(row: dict[str, Any]) -> str:
    if row["alike by"] == "trigrams":
        return f"{row['mean']:.3f}"
    return f"{row['mean']:.3f} ({ranged(row, 'gain over trigrams', '+.3f')})"


def speed(found: dict[str, Any]) -> str:
    """How fast the stages train beside TRL's own trainers, a line a model (`tests/benchmarks/bench_trl.py`)."""
    lines = []
    for model, measured in found.items():
        kinds = []
        for kind in ("sft", "dpo"):
            ours, theirs = (measured["ways"][f"{side} {kind}"] for side in ("ours", "trl"))
            kinds.append(
                f"{kind.upper()} {ours['rate']:.0f} tokens/s, TRL {theirs['rate']:.0f} (x {ours['rate_ratio']:.2f}), "
                f"peak {ours['peak']:.1f} GiB, TRL {theirs['peak']:.1f} (x {ours['peak_ratio']:.2f})"
            )
        how = f"{measured['rows']} rows in batches of {measured['batch']}, {measured['threads']} thread(s)"
        lines.append(f"- `{model}`, {how}: {'; '.join(kinds)}.")
    return "\n".join(lines)


def followups(found: dict[str, Any]) -> str:
    """What a policy can say at follow-ups, by the number of answers that it learned from, and whether that is above
    copying the last prescription (`tests/benchmarks/measure_followups.py`)."""
    lines = [
        "| answers | herb F1 | beside copying | best of the draws | beside copying | herbs changed (right) | rules |",
        "|---" * 7 + "|",
    ]
    passed: dict[str, list[str]] = {}
    for row in found["rows"]:
        cells = [f"{row[k]['mean']:.3f} | {ranged(row[k], 'beside copying', '+.3f')}" for k in ("greedy", "best")]
        changed = f"{row['changed']:.1f} ({row['right']:.1f})"
        lines.append(f"| {row['answers']} | {' | '.join(cells)} | {changed} | {row['rules']:.0%} |")
        for kind in ("greedy", "best"):
            cell = row[kind]
            verdict = "above" if cell["low"] > 0 else "below" if cell["high"] < 0 else "not clearly beside"
            passed.setdefault(f"{verdict} copying: {kind}", []).append(str(row["answers"]))
    verdicts = "; ".join(f"{what} with {', '.join(numbers)} answers" for what, numbers in passed.items())
    wanted = found["rows"][0]["wanted"]
    return "\n".join(
        [
            f"{found['cases']} invented follow-ups, seeds {found['seeds']}. Copying has {found['copying']:.3f}; "
            f"physicians change {wanted:.1f} herbs a visit; before SFT the base names the rule for "
            f"{found['base rules']:.0%} of the findings that it is asked about in its own words (last column: after "
            "SFT).",
            "",
            *lines,
            "",
            f"{verdicts[0].upper()}{verdicts[1:]}.",
        ]
    )


GAINS = ("beside home", "over the start")


def carry_over(found: dict[str, dict[str, Any]]) -> str:
    """What arms are worth on the test cases of a source that they did not learn from, beside the same arms trained on
    it and the floors (`tests/benchmarks/measure_carry_over.py`)."""
    lines = [
        "| model | trained on | tested on | arm | herb F1 | beside trained there | feedback adds |",
        "|---" * 7 + "|",
    ]
    said = []
    for part in found.values():
        rows = [row for row in part["rows"] if row["metric"] == "herb_f1"]
        for row in rows:
            beside, added = (ranged(row[key], form="+.3f") if row.get(key) else "–" for key in GAINS)
            lines.append(
                f"| {Path(part['base']).name} | {part['trained on']} | {part['tested on']} | {row['arm']} "
                f"| {ranged(row['away'])} | {beside} | {added} |"
            )
        worse = [row["arm"] for row in rows if (row.get(GAINS[0]) or {"high": 0})["high"] < 0]
        clear = [row["arm"] for row in rows if (row.get(GAINS[1]) or {"low": 0})["low"] > 0]
        floors = {name: values["herb_f1"] for name, values in part["floors"].items() if name in SHOWN_FLOORS}
        verdicts = [f"feedback clearly adds: {', '.join(clear) or 'none'}"]
        if any(row.get(GAINS[0]) for row in rows):
            verdicts = [f"clearly below the same arm trained there: {', '.join(worse) or 'none'}", *verdicts]
        said.append(
            f"From {part['trained on']} to {part['tested on']} ({part['answers']} answers, {part['cases']} test cases, "
            f"{part['left out']} left out as too like those learned from): floors made of the cases learned from have "
            f"{', '.join(f'{name} {value:.3f}' for name, value in floors.items())}; {'; '.join(verdicts)}."
        )
    return "\n".join([*lines, "", *said])


def trust(found: dict[str, list[dict[str, Any]]]) -> str:
    """What the study promises about damage, leaks and speed, against its aims, as a table; what is not reached is said
    to be (`tests/benchmarks/measure_trust.py`)."""
    lines = ["| promise | aim | measured |", "|---|---|---|"]
    for row in (row for rows in found.values() for row in rows):
        measured = row["measured"] if row["reached"] else f"**not reached:** {row['measured']}"
        lines.append(f"| {row['promise']} | {row['aim']} | {measured} |")
    return "\n".join(lines)


BLOCKS = {
    "carry_over": (carry_over, "measure_carry_over.py"),
    "followups": (followups, "measure_followups.py"),
    "jury": (jury, "measure_jury.py"),
    "proxies": (proxies, "measure_proxies.py"),
    "review": (pharmacist.rates, "measure_review.py"),
    "trl": (speed, "bench_trl.py"),
    "trust": (trust, "measure_trust.py"),
}
"""Name of the file under `reports/` -> what is said of it, and what of `tests/benchmarks/` measures it."""


def said(path: Path) -> str:
    """What is said of a file of `BLOCKS`.

    Raises:
        StageError: if the file is damaged, or a part of it is empty.
    """
    say, script = BLOCKS[path.stem]
    with named(path, f"python tests/benchmarks/{script}"):
        found = read_json(path)
        text = all(found.values()) and say(found)
        if not found or not text:
            raise ValueError("a part is empty")
        return text
