"""The results in README.md, filled in from a published `results.json`: no number there is typed by hand."""

import json
from pathlib import Path
from typing import Any

from tcm.files import write_text
from tcm_rlaif.report.page import ReportError
from tcm_rlaif.study.params import ROOT

BEGIN, END = "<!-- results of reports/{study}: `./study readme` writes them -->", "<!-- end -->"
COLUMNS = ("herb_f1", "dose_overlap", "disease_f1", "syndrome_f1", "followup_change_f1")


def render(results: dict[str, Any]) -> str:
    """The block of one study: data, arms and floors on the main metrics, findings, cost."""
    split = {row["split"]: row["cases"] for row in results["data"]["splits"]}
    columns = [c for c in COLUMNS if c in next(iter(results["arms"].values()))]
    lines = [
        f"{split['train']} training, {split['test']} test cases ({results['data']['source']}); base model of "
        f"{results['base']['parameters'] / 1e6:.1f} million parameters; seeds {results['seeds']}. Means over test "
        "cases with bootstrap intervals over cases; n in brackets.",
        "",
        "| answers by | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for arm, means in results["arms"].items():
        lines.append(f"| **{arm}** | " + " | ".join(_mean(means[c]) for c in columns) + " |")
    for name, means in results["floors"].items():
        lines.append(f"| {name} | " + " | ".join(_floor(means[c]) for c in columns) + " |")
    lines += ["", *(f"- {finding}" for finding in results["findings"])]
    total = next(row for row in results["cost"] if row["stage"] == "all")
    whole = results["side_by_side"]
    lines += [
        "",
        f"On 2 cores, two notebooks at a time, this took {whole['wall_seconds'] / 60:.1f} minutes, "
        f"{total['overhead share']:.0%} of the kernels' time start and imports, and at most "
        f"{whole['memory_mib'] / 1024:.1f} GiB. Everything behind these lines: `reports/{results['study']}/`.",
    ]
    return "\n".join(lines)


def _mean(cell: dict[str, Any]) -> str:
    return f"{cell['mean']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}] ({cell['n']})"


def _floor(cell: dict[str, Any]) -> str:
    return "–" if cell["mean"] is None else f"{cell['mean']:.3f} ({cell['n']})"


def filled(readme: str) -> str:
    """README text with every block of a published study filled in."""
    for path in sorted(ROOT.glob("reports/*/results.json")):
        begin = BEGIN.format(study=path.parent.name)
        if begin in readme:
            head, rest = readme.split(begin, 1)
            try:
                body = render(json.loads(path.read_text("utf-8")))
            except (ValueError, KeyError, TypeError):
                raise ReportError(f"{path}: is damaged; ./study report {path.parent.name} writes it again") from None
            readme = f"{head}{begin}\n{body}\n{END}{rest.split(END, 1)[1]}"
    return readme


def update(path: Path = ROOT / "README.md") -> None:
    """Fill README.md in."""
    write_text(path, filled(path.read_text("utf-8")))
