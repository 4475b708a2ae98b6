"""The first screen of a report: a line, the answer, what is not shown, how sure it is, and the floors of its figure."""

from collections.abc import Callable
from typing import Any

from tcm_rlaif.evaluation import standing
from tcm_rlaif.evaluation.data_size import PLAIN
from tcm_rlaif.evaluation.stats import MIN_SEEDS, seeds_in_words
from tcm_rlaif.report.headline import (
    answer,
    fed_back,
    fewer_seeds,
    metrics,
    not_shown,
    primary,
    question,
    source,
    trained,
    verdict,
)

FEW = 3  # arms with feedback that the line tells


def markdown(results: dict[str, Any]) -> str:
    """The first screen's text: question, line and list."""
    lines = [f"{question(results)}\n"]
    if first := lead(results):
        lines.append(f"**{first}**\n")
    lines += [f"- {line}" for line in answer(results)]
    if missing := not_shown(results):
        lines.append(f"- **Not shown:** {'; '.join(missing)}.")
    over = results.get("intervals", "intervals over cases")  # results of older studies have none
    if others := metrics(results)[1:]:
        over += f"; of {' and '.join(others)} only clear differences are told"
    return "\n".join([*lines, f"\nIn square brackets: {over}."])


def lead(results: dict[str, Any]) -> str:
    """The answer in a line: how far imitation comes, what the judge's choice adds to it, which arms pass the floors.

    Effects are declared tests of the first declared metric. One that is clear, but not clearly above that of a control,
    is told with this control.
    """
    metric, said = primary(results), []
    rows = {row["arms"]: row for row in results["comparisons"] if row["metric"] == metric and row["declared"]}
    older = {row["arm"]: row.get("start") for row in results.get("promises", {}).get("rows", [])}
    starts = results.get("starts", older)
    starts = {arm: start for arm, start in starts.items() if start in results["arms"] and trained(start, results)}
    for arm, start in (pair.split(" - ") for pair in rows):  # the judge may also choose at the test alone
        if arm not in starts and fed_back(arm, results) and trained(start, results) and not fed_back(start, results):
            starts[arm] = start
    for sft in dict.fromkeys(starts.values()) or ["sft"] * ("sft" in results["arms"]):
        said.append(_reached(sft, metric, rows, results))
    said += _ideas(metric, rows, results)
    fed = [_added(arm, start, rows, starts) for arm, start in starts.items() if f"{arm} - {start}" in rows]
    fed[FEW:] = [f"and {len(fed) - FEW} more"] if len(fed) > FEW else []
    said += [f"AI feedback changes that by {', '.join(fed)}"] if fed else []
    few = f" ({len(results['seeds'])} seed(s): exploratory)" if len(results["seeds"]) < MIN_SEEDS else ""
    fewer = fewer_seeds(results)
    for task, words in standing.TASKS.items():
        passed: dict[str, list[str]] = {}
        for row in results.get("standing", []):
            if row["task"] == task and trained(row["arm"], results):
                arms = passed.setdefault(f"{row['floor']} ({row['value']:.2f})", [])
                seeds = f" ({fewer[row['arm']]})" if row["arm"] in fewer else ""
                arms += [row["arm"] + seeds] if row["stands"] == standing.BEATS else []
        if passed:
            told = "; above ".join(f"{floor}: {', '.join(arms) or 'none'}" for floor, arms in passed.items())
            said.append(f"On {words}, arms clearly above {told}{few}")
    return "".join(f"{sentence}. " for sentence in said).rstrip()


def _reached(sft: str, metric: str, rows: dict[str, dict[str, Any]], results: dict[str, Any]) -> str:
    """How far imitation comes, and from where if an untrained model is declared to be compared with it."""
    mean = results["arms"][sft][metric]["mean"]
    named = "SFT" if sft == "sft" else f"SFT ({sft})"
    for pair, row in rows.items():
        first, second = pair.split(" - ")
        if first == sft and not trained(second, results):
            before = results["arms"][second][metric]["mean"]
            return f"{named} takes {metric} from {before:.2f} to {mean:.2f} ({verdict(row)})"
    return f"{named} reaches {metric} {mean:.2f}"


def _ideas(metric: str, rows: dict[str, dict[str, Any]], results: dict[str, Any]) -> list[str]:
    """Of a study on a data-size axis: what plain SFT reaches, and which ideas are clearly above or below it there."""
    told = []
    for size in results.get("all_params", {}).get("sizes") or {}:
        plain = f"{PLAIN}_{size}"
        ideas = {
            pair.removesuffix(f"_{size} - {plain}"): row for pair, row in rows.items() if pair.endswith(f" - {plain}")
        }
        if not ideas:
            continue
        reached = results["arms"][plain][metric]["mean"]
        sides = {
            side: ", ".join(
                f"{idea} ({row['difference']:+.3f}{_few(row)})"
                for idea, row in ideas.items()
                if found in row["verdict"]
            )
            for side, found in (("above", "higher"), ("below", "lower"))
        }
        told.append(
            f"With {size} answers plain SFT reaches {metric} {reached:.2f}; of {len(ideas)} ideas clearly above it: "
            f"{sides['above'] or 'none'}; clearly below: {sides['below'] or 'none'}"
        )
    return told


def _few(row: dict[str, Any]) -> str:
    """The seeds behind a difference, where they are too few for a finding."""
    return f", {seeds_in_words(len(row['seeds']))}" if row["exploratory"] else ""


def _added(arm: str, start: str, rows: dict[str, dict[str, Any]], starts: dict[str, str]) -> str:
    """What an arm that learned the judge's choice gained over its start, and which controls it is not clearly above."""
    row = rows[f"{arm} - {start}"]
    told = f"{row['difference']:+.3f} in {arm} ({verdict(row)}"
    pairs = {pair.split(" - ")[1]: other for pair, other in rows.items() if pair.startswith(f"{arm} - ")}
    controls = [name for name in pairs if name != start and starts.get(name, start) == start]
    open_ = [name for name in controls if not verdict(pairs[name]).startswith("higher")]
    if open_ and verdict(row).startswith("higher"):
        told += f", but not clearly above {' or '.join(open_)}"
    return f"{told})"


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


def said(results: dict[str, Any]) -> str:
    """The same of a study that an older version may have written."""
    return _or_old(lambda: markdown(results), results)


def in_a_line(results: dict[str, Any]) -> str:
    """What a study is about and its `lead`."""
    return _or_old(
        lambda: f"{source(results)}, {results['base']['parameters'] / 1e6:.0f} million parameters. {lead(results)}",
        results,
    )


def _or_old(tell: Callable[[], str], results: dict[str, Any]) -> str:
    """What is told; of results that an older version wrote, that they tell none."""
    try:
        return tell()
    except KeyError as error:
        return f"Its results hold no {error}: ./study report {results['study']} writes them again."
