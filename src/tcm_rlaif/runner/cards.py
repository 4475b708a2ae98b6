"""Model card and data card of an export, generated from the study: what it is, what it was made of, what it scores.

Every number is read from the study's results; where there are none the card says so.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tcm.files import read_json
from tcm.metrics import FLOORS
from tcm_rlaif import __version__
from tcm_rlaif.evaluation.stats import MIN_SEEDS, ONE_SEED
from tcm_rlaif.runner import asked
from tcm_rlaif.runner.predict import NOTICE
from tcm_rlaif.runner.trained import Trained
from tcm_rlaif.study import params, stage
from tcm_rlaif.study.measures import MEASURES
from tcm_rlaif.study.notebooks import TRAININGS

SHOWN = ("herb_f1", "herb_base_f1", "dose_overlap", "disease_f1", "syndrome_f1", "formula_f1", "usable", "judge_score")
SOURCES = {
    "invented": "Invented cases, written by this project's generator: no patient stands behind them",
    "mtcmb": "MTCMB (TCM-FRD with TCM-Diagnosis): textbook cases, not patients",
    "best4sdt": "TCM-BEST4SDT: published case records of three kinds, modern, classical and short vignettes",
    "tcmeval_sdt": "TCMEval-SDT: published case records",
    "own": "Case records of those who ran the study; they are not part of this folder",
}
LEARNED = {"prompt": "a learned prompt", "prefix": "a learned prefix"}
LEARNS = {
    "prompt": "which stand before every text (arXiv 2104.08691)",
    "prefix": "their keys and values in every layer (arXiv 2101.00190)",
}
HUB = "A hub id names the base on the hub; any other name is that of a file or folder of those who ran the study."


def base_name(trained: Trained) -> str:
    """The base as others may find it: a hub id, or the name (never the place) of a file or folder."""
    if trained.P.base_model == "tiny":
        return "base"  # the folder beside
    there = (params.ROOT / Path(trained.source).expanduser()).exists()
    return Path(trained.source).name if there else trained.source


def model_card(trained: Trained, kind: str) -> str:
    """The card of an exported adapter or of the merged weights.

    Args:
        kind: `adapter` or `merged`.
    """
    base = base_name(trained)
    head: dict[str, Any] = {"language": ["zh"], "pipeline_tag": "text-generation"}
    head |= {"library_name": "peft" if kind == "adapter" else "transformers"}
    if "/" in base:
        head |= {"base_model": base, "base_model_relation": kind if kind == "adapter" else "finetune"}
    head["tags"] = ["traditional-chinese-medicine", "research-only", trained.P.training]
    parts = [
        f"# {trained.study.study} / {trained.arm}, seed {trained.seed}",
        f"**{NOTICE}**",
        f"A language model that answers Traditional Chinese Medicine cases in Chinese, trained by the study "
        f"`{trained.study.study}` (tcm-rlaif {__version__}): arm `{trained.arm}`, stages "
        f"{', '.join(TRAININGS[trained.P.training])}. Method: SFT and RLAIF as in arXiv 2411.00897.",
        "## Base and adapter", _base(trained, base, kind),
        "## How it is asked", asked.said(trained.P, kind),
        "## Data", _data(trained),
        "## Parameters", _parameters(trained),
        "## Results", _results(trained),
        "## Limits", _limits(trained),
    ]  # fmt: skip
    return f"---\n{_yaml(head)}---\n\n" + "\n\n".join(parts) + "\n"


def _base(trained: Trained, base: str, kind: str) -> str:
    P = trained.P
    facts = read_json(trained.folders["base"] / stage.DONE)
    size = f"{facts['parameters'] / 1e6:,.1f} million parameters"
    tiny = (
        " It lies in the folder `base` beside, built and pre-trained by the study on text written from its tables."
        * (P.base_model == "tiny")
    )
    if P.adapter == "lora":
        adapter = f"LoRA of rank {P.lora_rank}, alpha {P.lora_alpha}, on all linear layers."
    else:
        adapter = (
            f"The adapter is {LEARNED[P.adapter]} of {P.adapter_tokens} tokens, {LEARNS[P.adapter]}. It cannot be "
            "merged into the weights, so there is no merged model: peft loads it, a server that knows LoRA alone does "
            "not."
        )
    packed = ""
    if P.base_quantization == "4bit":
        packed = " Training kept the base in 4 bits (arXiv 2305.14314)"
        packed += "; it was merged into plain weights." if P.adapter == "lora" else "."
    named = tiny or f" {HUB}"
    return (
        f"Base: `{base}` ({size}).{named} {adapter}{packed} Weights are safetensors. The base's licence and terms hold "
        f"for both.\n\n```python\n{asked.loading(base, kind)}\n```"
    )


def _data(trained: Trained) -> str:
    P, results = trained.P, trained.results
    lines = [f"{SOURCES[P.data_source]}."]
    if results:
        splits = ", ".join(f"{row['cases']} {row['split']}" for row in results["data"]["splits"])
        lines.append(f"Cases by split (no patient or near-duplicate in two of them): {splits}.")
    if P.sft_cases:
        lines.append(f"SFT saw the answers of the first {P.sft_cases} training cases.")
    extra = {"sft_invented": "invented cases beside them", "sft_textbook_passes": "passes over the tables' text first",
             "sft_permutations": "further orders of each answer's herbs"}  # fmt: skip
    lines += [f"{getattr(P, key)} {what}." for key, what in extra.items() if getattr(P, key)]
    if "labels" in trained.folders:
        lines.append(f"AI feedback: judge `{'+'.join(P.judge)}`, learned by `{P.preference_training}`.")
    return " ".join(lines)


def _parameters(trained: Trained) -> str:
    changed = params.differences(trained.P)
    for name in ("arms", "ablation_questions", "ablation_family", "data_path", "data_columns", "seeds", "base_model"):
        changed.pop(name, None)  # not of this arm, or places and headings of those who ran it
    return f"What differs from the project's documented defaults (`./study params`):\n\n```yaml\n{_yaml(changed)}```"


def _results(trained: Trained) -> str:
    results = trained.results
    if trained.arm not in results.get("arms", {}):
        return "The study was not evaluated to its end: nothing is known of how well this model answers."
    values = results["arms"] | {name: row for name, row in results["floors"].items() if name in (*FLOORS, "gold")}
    keys = [k for k in SHOWN if _mean(values[trained.arm].get(k)) is not None]
    table = [f"| answers by | {' | '.join(keys)} |", f"|---|{'---|' * len(keys)}"]
    for name in dict.fromkeys((trained.arm, *values)):
        table.append(f"| {name} | {' | '.join(_cell(values[name].get(k)) for k in keys)} |")
    meanings = "; ".join(f"`{k}`: {MEASURES[k].formula}" for k in keys)
    number = len(params.seeds_of(trained.study, trained.arm))
    seeds = f"{number} seed(s)" + " (exploratory)" * (number < MIN_SEEDS)
    over = results["intervals"] + ONE_SEED * (number == 1)
    said = (
        f"On test cases, over {seeds} of the arm, of which this is one; {over}. Rows without an "
        "interval need no model (cases in brackets; `copy_previous` answers follow-ups alone); `gold` is the "
        f"physicians' answer. {meanings}."
    )
    return "\n\n".join([said, "\n".join(table), _safety(results, trained.arm)])


def _mean(value: Mapping[str, Any] | None) -> float | None:
    return (value or {}).get("mean")


def _cell(value: Mapping[str, Any] | None) -> str:
    if (mean := _mean(value)) is None:
        return "–"
    low, high = value.get("low"), value.get("high")
    return f"{mean:.3f}" + (f" ({value['n']})" if None in (low, high) else f" [{low:.3f}, {high:.3f}]")


def _safety(results: Mapping[str, Any], arm: str) -> str:
    rates = {row["answers by"]: row for row in results["safety"]}
    return "Safety findings, share of prescriptions: " + "; ".join(
        f"{name} any {rates[name]['any']:.2f}, high {rates[name]['high']:.2f}"
        for name in (arm, "gold")
        if name in rates
    )


def _limits(trained: Trained) -> str:
    lines = [
        NOTICE,
        "Trained on few cases of one source; other sources, schools and diseases were not tested here.",
        "It writes herbs and doses that no one has checked. The project's audit finds some faults "
        "(十八反, 十九畏, doses, pregnancy, toxic herbs), not all.",
        "Another physician's answer to the same patient often differs: a low score need not be a wrong answer.",
    ]
    if trained.P.data_source == "own":
        lines.append(
            "It may repeat words of the records that it was trained on. Their identifiers were masked, which is a net "
            "and no proof: ask those who are responsible for the records before you pass it on."
        )
    return "\n".join(f"- {line}" for line in lines)


def data_card(trained: Trained, pairs: Sequence[Mapping[str, Any]]) -> str:
    """The card of exported preference pairs.

    Args:
        pairs: the rows.
    """
    P = trained.P
    head = {
        "language": ["zh"], "task_categories": ["text-generation"], "size_categories": [_size(len(pairs))],
        "tags": ["preference", "dpo", "trl", "traditional-chinese-medicine", "research-only"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train.jsonl"}]}],
    }  # fmt: skip
    of_case = Counter(row["case_id"] for row in pairs if "case_id" in row)
    own = " They hold the text of patients' records: pass them on only where you may." if P.data_source == "own" else ""
    audit = _audit(trained.folders["labels"] / "audit.json") if "labels" in trained.folders else []
    parts = [
        f"# Preference pairs of {trained.study.study} / {trained.arm}, seed {trained.seed}",
        f"**{NOTICE}**",
        f"{len(pairs)} pairs on {len(of_case)} cases in TRL's conversational format: `prompt`, `chosen`, `rejected`. "
        f"Both answers of a pair were sampled from the study's own model ({P.candidate_number} a prompt, temperature "
        f"{P.candidate_temperature:g}), unless `pair_strategy` (here `{P.pair_strategy}`) says otherwise, and ordered "
        f"by the judge `{'+'.join(P.judge)}`: AI feedback, no human ranked anything.",
        f"Cases: {SOURCES[P.data_source]}. Prompts are those of training and unlabelled cases, never of validation or "
        f"test.{own} The licence of the cases is that of their source.",
        "## Columns", _columns(pairs[0]),
        "## The judge", "\n".join(["What its audit found before anyone trained on its word:", "", *audit])
        if audit else "Its audit is not at hand.",
        "## Limits", f"- {NOTICE}\n- Chosen means better by this judge, not right: both may be wrong or unsafe.\n"
        "- Pairs teach what their judge knows, its mistakes included.",
    ]  # fmt: skip
    return f"---\n{_yaml(head)}---\n\n" + "\n\n".join(parts) + "\n"


def _columns(row: Mapping[str, Any]) -> str:
    known = {
        "prompt": "messages that pose the case", "chosen": "the better answer, as the assistant's message",
        "rejected": "the worse answer", "case_id": "id of the case in the study",
    }  # fmt: skip
    return "\n".join(f"- `{name}`: {known.get(name, 'as the study wrote it, for tracing')}" for name in row)


def _audit(path: Path) -> Iterable[str]:
    if not path.is_file():
        return []
    found = read_json(path)["detection"]
    return [f"- planted `{row['defect']}`: scored lower in {row['rate']:.0%} of {row['n']}"
            for row in found if row.get("rate") is not None and "n" in row]  # fmt: skip


def _size(number: int) -> str:
    return next((name for most, name in ((1000, "n<1K"), (10_000, "1K<n<10K")) if number < most), "10K<n<100K")


def _yaml(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(values), allow_unicode=True, sort_keys=False)
