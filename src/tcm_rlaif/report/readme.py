"""The results in README and docs, filled in from published `results.json`: no number there is typed by hand."""

import json
from collections.abc import Callable
from typing import Any

from tcm.files import write_text
from tcm_rlaif.report import in_short
from tcm_rlaif.report.page import ReportError
from tcm_rlaif.report.trust import table
from tcm_rlaif.study.params import ROOT

BEGIN, END = "<!-- results of reports/{study}: `./study readme` writes them -->", "<!-- end -->"
SHORT = {
    "<!-- in short, from reports/*/results.json: `./study readme` writes it -->": "en",
    "<!-- 摘要，取自 reports/*/results.json，由 `./study readme` 写入 -->": "zh",
}
FILES = tuple(ROOT / name for name in ("README.md", "README.zh.md", "docs/results.md"))
JURY = ROOT / "reports" / "jury.json"
JURY_BEGIN = "<!-- from reports/jury.json: `./study readme` writes it -->"
COLUMNS = ("herb_f1", "judge_score", "usable", "dose_overlap", "disease_f1", "syndrome_f1", "followup_change_f1")
TRUST = ROOT / "reports" / "trust.json"
TRUST_BEGIN = "<!-- from reports/trust.json: `./study readme` writes it -->"


def render(results: dict[str, Any]) -> str:
    """The block of one study: data, arms and floors on the main metrics, findings, cost.

    Results published before seeds were resampled have no `intervals`: their intervals are over cases alone.
    """
    split = {row["split"]: row["cases"] for row in results["data"]["splits"]}
    columns = [c for c in COLUMNS if c in next(iter(results["arms"].values()))]
    lines = [
        f"{split['train']} training, {split['test']} test cases ({results['data']['source']}); base model of "
        f"{results['base']['parameters'] / 1e6:.1f} million parameters; seeds {results['seeds']}. Means over test "
        f"cases with {results.get('intervals', 'bootstrap intervals over cases')}; n in brackets.",
        "",
        "| answers by | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for arm, means in results["arms"].items():
        lines.append(f"| **{arm}** | " + " | ".join(_mean(means[c]) for c in columns) + " |")
    for name, means in results["floors"].items():
        lines.append(f"| {name} | " + " | ".join(_floor(means[c]) for c in columns) + " |")
    said = [*results["findings"], *results.get("curve", {}).get("findings", ())]  # older results have no curve
    said += [results["promises"]["said"]] if "promises" in results else []
    lines += ["", *(f"- {finding}" for finding in said)]
    lines += _judges(results.get("judge_quality", []))
    total = next(row for row in results["cost"] if row["stage"] == "all")
    whole = results["side_by_side"]
    lines += [
        "",
        f"On 2 cores, two notebooks at a time, this took {whole['wall_seconds'] / 60:.1f} minutes, "
        f"{total['overhead share']:.0%} of the kernels' time start and imports, and at most "
        f"{whole['memory_mib'] / 1024:.1f} GiB. Everything behind these lines: `reports/{results['study']}/`.",
    ]
    return "\n".join(lines)


def _judges(rows: list[dict[str, Any]]) -> list[str]:
    """What each arm's judge is worth by its audit, and what learning from it brought, where judges differ."""
    figures = [name for name in rows[0] if name not in ("arm", "gain", "low", "high", "seeds")] if rows else []
    if len({tuple(row[name] for name in figures) for row in rows}) < 2:
        return []
    lines = ["", f"| arm | {' | '.join(figures)} | gain in herb F1 over its start |", "|---" * (len(figures) + 2) + "|"]
    for row in rows:
        worth = " | ".join("–" if row[name] is None else f"{row[name]:.2f}" for name in figures)
        lines.append(f"| {row['arm']} | {worth} | {row['gain']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}] |")
    return lines


def _mean(cell: dict[str, Any]) -> str:
    return f"{cell['mean']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}] ({cell['n']})"


def _floor(cell: dict[str, Any]) -> str:
    return "–" if cell["mean"] is None else f"{cell['mean']:.3f} ({cell['n']})"


def jury(found: dict[str, Any]) -> str:
    """Whether a small local model is worth asking as a judge, in a paragraph (`tests/benchmarks/measure_jury.py`)."""
    said = []
    for mode in (mode for mode in ("pointwise", "pairwise") if mode in found):
        judges, gain = found[mode]["judges"], found[mode]["gain"]
        model, evidence = judges["transformers"], judges["evidence"]
        said.append(
            f"Asked {mode} about {found[mode]['cases']} short case records ({found['source']}, no test cases), "
            f"`{found['model']}` alone puts this patient's answer above another's in {_share(model['patient'])} "
            f"(chance 0.5; `evidence` {_share(evidence['patient'])}), orders two other answers as their herb F1 does "
            f"in {_share(model['order'])} (`evidence` {_share(evidence['order'])}, popularity "
            f"{_share(judges['popularity']['order'])}), and sees a planted defect in {_share(model['defects'])} "
            f"(`evidence` {_share(evidence['defects'])}), for {model['cpu_seconds']:.1f} CPU seconds an answer "
            f"(`evidence` {evidence['cpu_seconds']:.3f}). On a jury with rubric and evidence it changes these by "
            f"{_gain(gain['patient'])}, {_gain(gain['order'])} and {_gain(gain['defects'])}: {_worth(gain)}."
        )
    return " ".join(said)


def _share(cell: dict[str, Any]) -> str:
    return f"{cell['value']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}]"


def _gain(cell: dict[str, Any]) -> str:
    return f"{cell['value']:+.2f} [{cell['low']:+.2f}, {cell['high']:+.2f}]"


def _worth(gain: dict[str, dict[str, Any]]) -> str:
    """The verdict, from the intervals."""
    better = [name for name, cell in gain.items() if cell["low"] > 0]
    worse = [name for name, cell in gain.items() if cell["high"] < 0]
    parts = [f"{word} on {' and '.join(names)}" for word, names in (("better", better), ("worse", worse)) if names]
    return f"with it the jury is {', '.join(parts)}" if parts else "no difference is shown"


def filled(text: str) -> str:
    """A text with every block filled in: of a published study, of all in short, and of the jury."""
    if JURY.exists():
        text = _with(text, JURY_BEGIN, lambda: jury(json.loads(JURY.read_text("utf-8"))))
    studies = {}
    for path in sorted(ROOT.glob("reports/*/results.json")):
        try:
            studies[path.parent.name] = found = json.loads(path.read_text("utf-8"))
            text = _with(text, BEGIN.format(study=path.parent.name), lambda found=found: render(found))
        except (ValueError, KeyError, TypeError):
            raise ReportError(f"{path}: is damaged; ./study report {path.parent.name} writes it again") from None
    for begin, language in SHORT.items():
        text = _with(text, begin, lambda language=language: in_short.table(studies, language))
    if TRUST.exists():
        text = _with(text, TRUST_BEGIN, lambda: table(json.loads(TRUST.read_text("utf-8"))))
    return text


def _with(text: str, begin: str, body: Callable[[], str]) -> str:
    """The text with the block after `begin` written anew; as it was where it has none."""
    if begin not in text:
        return text
    head, rest = text.split(begin, 1)
    return f"{head}{begin}\n{body()}\n{END}{rest.split(END, 1)[1]}"


def update() -> None:
    """Fill in every file of `FILES`."""
    for path in FILES:
        write_text(path, filled(path.read_text("utf-8")))
