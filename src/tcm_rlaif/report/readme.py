"""The results in README and docs, filled in from published `results.json`: no number there is typed by hand."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tcm.files import write_text
from tcm.metrics.intervals import ranged
from tcm_rlaif.evaluation import curve
from tcm_rlaif.evaluation.stats import ONE_SEED
from tcm_rlaif.report import in_short, index, measured, pharmacist, tripod
from tcm_rlaif.report.headline import fewer_seeds, findings, plain, primary, variety
from tcm_rlaif.report.index import sound
from tcm_rlaif.report.page import ReportError
from tcm_rlaif.study.params import ROOT

BEGIN, END = "<!-- results of reports/{study}: `./study readme` writes them -->", "<!-- end -->"
SHORT = {
    "<!-- in short, from reports/*/results.json: `./study readme` writes it -->": "en",
    "<!-- 摘要，取自 reports/*/results.json，由 `./study readme` 写入 -->": "zh",
}
FILES = tuple(ROOT / name for name in ("README.md", "README.zh.md", "docs/results.md", "docs/data.md"))
TRIPOD = ROOT / "docs" / "tripod-llm.md"
MEASURED = "<!-- from reports/{name}.json: `./study readme` writes it -->"
MARKS_BEGIN = "<!-- from the knowledge tables: `./study readme` writes it -->"
COLUMNS = ("herb_f1", "judge_score", "usable", "dose_overlap", "disease_f1", "syndrome_f1", "followup_change_f1")


def render(results: dict[str, Any]) -> str:
    """The block of one study: data, arms and floors on the main metrics, findings, cost.

    Results published before seeds were resampled have no `intervals`: their intervals are over cases alone.
    """
    split = {row["split"]: row["cases"] for row in results["data"]["splits"]}
    few = fewer_seeds(results)
    over = results.get("intervals", "bootstrap intervals over cases") + ONE_SEED * bool(few)
    columns = [c for c in COLUMNS if c in next(iter(results["arms"].values()))]
    lines = [
        f"{split['train']} training, {split['test']} test cases ({results['data']['source']}); base model of "
        f"{results['base']['parameters'] / 1e6:.1f} million parameters; seeds {results['seeds']}. Means over test "
        f"cases with {over}; n in brackets.",
        "",
        "| answers by | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    sized = results.get("data_size", {"rows": [], "said": []})  # older results have none
    on_axis = {f"{row['idea']}_{row['answers']}" for row in sized["rows"]}
    for arm, means in results["arms"].items():
        if arm in on_axis:
            continue
        cells = " | ".join(f"{ranged(means[c])} ({means[c]['n']})" for c in columns)
        lines.append(f"| **{arm}**{_marked(arm, few)} | {cells} |")
    for name, means in results["floors"].items():
        lines.append(f"| {name} | " + " | ".join(_floor(means[c]) for c in columns) + " |")
    said = findings(results)
    if "curve" in results:  # older results have none
        line, arms = (pd.DataFrame(results["curve"][part]) for part in ("rows", "arms"))
        said += curve.findings(line, arms, primary(results))
    said += [results["promises"]["said"]] if "promises" in results else []
    said += [*sized["said"], *map(plain, variety(results, results["arms"].keys() - on_axis))]
    lines += [*_by_size(sized["rows"]), "", *(f"- {finding}" for finding in said)]
    lines += _judges(results.get("judge_quality", []), few)
    total = next(row for row in results["cost"] if row["stage"] == "all")
    whole = results["side_by_side"]
    lines += [
        "",
        f"{_ran_on(results)}, this took {whole['wall_seconds'] / 60:.1f} minutes, "
        f"{total['overhead share']:.0%} of the kernels' time start and imports, and at most "
        f"{whole['memory_mib'] / 1024:.1f} GiB. Everything behind these lines: `reports/{results['study']}/`.",
    ]
    return "\n".join(lines)


def _ran_on(results: dict[str, Any]) -> str:
    machines = results.get("machines", {})  # older results do not say
    if len(machines) > 1 or any("cores" not in name for name in machines):
        runs = sum(machines.values())
        return "On " + " and ".join(f"{name} ({number} of {runs} notebooks)" for name, number in machines.items())
    beside = "two notebooks" if results["params"].get("base_model", "tiny") == "tiny" else "one notebook"
    return f"On {next(iter(machines), '2 cores')}, {beside} at a time"


def _by_size(rows: list[dict[str, Any]]) -> list[str]:
    """Every idea by number of answers: its mean, and its difference from plain SFT on the same answers."""
    if not rows:
        return []
    sizes = sorted({row["answers"] for row in rows})
    lines = ["", "| idea | " + " | ".join(f"{size} answers" for size in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for idea in dict.fromkeys(row["idea"] for row in rows):
        of = {row["answers"]: row for row in rows if row["idea"] == idea}
        cells = [f"{of[size]['mean']:.3f}{_gain(of[size])}" if size in of else "–" for size in sizes]
        lines.append(f"| **{idea}** | {' | '.join(cells)} |")
    return lines


def _gain(row: dict[str, Any]) -> str:
    if row["difference"] is None:
        return ""
    return f" ({row['difference']:+.3f} [{row['from']:+.3f}, {row['to']:+.3f}])"


def _judges(rows: list[dict[str, Any]], few: Mapping[str, str]) -> list[str]:
    """What each arm's judge is worth by its audit, and what learning from it brought, where judges differ."""
    figures = [name for name in rows[0] if name not in ("arm", "gain", "low", "high", "seeds")] if rows else []
    if len({tuple(row[name] for name in figures) for row in rows}) < 2:
        return []
    lines = ["", f"| arm | {' | '.join(figures)} | gain in herb F1 over its start |", "|---" * (len(figures) + 2) + "|"]
    for row in rows:
        worth = " | ".join("–" if row[name] is None else f"{row[name]:.2f}" for name in figures)
        lines.append(f"| {row['arm']}{_marked(row['arm'], few)} | {worth} | {ranged(row, 'gain', '+.3f')} |")
    return lines


def _marked(arm: str, few: Mapping[str, str]) -> str:
    return f" ({few[arm]})" if arm in few else ""


def _floor(cell: dict[str, Any]) -> str:
    return "–" if cell["mean"] is None else f"{cell['mean']:.3f} ({cell['n']})"


def filled(text: str) -> str:
    """A text with every block filled in: of studies, of all in short, of what was measured once, of the tables.

    Raises:
        StageError: if a file that a block is filled from is damaged.
        ReportError: if a block of the text has no end.
    """
    for name in measured.BLOCKS:
        path = ROOT / "reports" / f"{name}.json"
        if path.exists():
            text = _with(text, MEASURED.format(name=name), lambda path=path: measured.said(path))
    text = _with(text, MARKS_BEGIN, pharmacist.marks)
    studies = index.read(ROOT / "reports")
    for name, found in studies.items():
        with sound(name, ROOT / "reports"):
            text = _with(text, BEGIN.format(study=name), lambda found=found: render(found))
    for begin, language in SHORT.items():
        text = _with(text, begin, lambda language=language: in_short.table(studies, language))
    return text


def _with(text: str, begin: str, body: Callable[[], str]) -> str:
    """The text with the block after `begin` written anew; as it was where it has none."""
    if begin not in text:
        return text
    head, rest = text.split(begin, 1)
    if END not in rest:
        raise ReportError(f"{begin} begins a block that has no end; write a line {END} after it")
    return f"{head}{begin}\n{body()}\n{END}{rest.split(END, 1)[1]}"


def update() -> None:
    """Fill in every file of `FILES`, and write what is made of published results alone: the index, the TRIPOD table.

    Nothing is written before all can be.
    """
    texts = {path: filled(path.read_text("utf-8")) for path in FILES}
    with sound(tripod.STUDY, ROOT / "reports"):
        texts[TRIPOD] = tripod.document(index.read(ROOT / "reports")[tripod.STUDY])
    index.publish(ROOT / "reports", index.published())
    for path, text in texts.items():
        write_text(path, text)
