"""AI feedback as the notebooks use it: candidates, the audit's gate, judgements and pairs, each kept in a file."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_rlaif import generate, preferences, prompts
from tcm_rlaif.cases import Case, write_json, write_text
from tcm_rlaif.judges import Cache, Item, Judge, JudgeReport, Verdict, judge_items
from tcm_rlaif.judges import audit as judge_audit
from tcm_rlaif.judges.base import questions_of
from tcm_rlaif.schema import Params

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


NO_PAIRS = (
    "No pair is left (see the funnel): the judge sees no difference between the candidates. Nothing is trained, the "
    "policy passes through as it is. To change that: lower pair_margin, or sample more or hotter candidates."
)


def candidates(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    cases: Sequence[Case],
    P: Params,
    seed: int,
    path: Path,
) -> tuple[list[Item], list[generate.Sample]]:
    """Sample `candidate_number` answers per case and write them down.

    Returns:
        One item per case, in order, and all samples.
    """
    settings = {
        "number": P.candidate_number,
        "temperature": P.candidate_temperature,
        "top_p": P.candidate_top_p,
        "max_new_tokens": P.candidate_max_new_tokens,
        "seed": seed,
    }
    if P.candidate_engine == "vllm":
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:  # vLLM reads the policy as it is now from a folder
            adapted = hasattr(model, "peft_config")
            if adapted:
                model.save_pretrained(folder, selected_adapters=["default"])
            source = model.config._name_or_path
            samples = generate.sample_vllm(source, Path(folder) if adapted else None, tokenizer, cases, **settings)
    else:
        samples = generate.sample(
            model, tokenizer, cases, **settings, batch_size=P.candidate_batch_size, progress="sampling"
        )
    write_rows(path, [vars(s) for s in samples])
    texts: dict[str, list[str]] = {}
    for s in samples:
        texts.setdefault(s.case_id, []).append(s.text)
    return [Item(case, tuple(texts[case.id])) for case in cases], samples


def cache(folder: Path, replay_only: bool = False) -> Cache:
    """The store of judgements of one run; a killed run finds there what it had."""
    return Cache(folder / "judgements.jsonl", replay_only)


def judge_description(judges: Sequence[Judge], item: Item, P: Params) -> list[str]:
    """What each judge goes by, in full: the rubric's criteria and weights, a model judge's prompt on one case."""
    from tcm_rlaif.judges import rubric

    said = []
    for judge in judges:
        if judge.name == "rubric":
            said.append("rubric, weights: " + ", ".join(f"{k} {v:g}" for k, v in rubric.WEIGHTS.items()))
        else:
            messages = judge.prompt(questions_of(item, P.judge_mode)[0])
            said += [f"{judge.name}, {m['role']}:\n{m['content']}" for m in messages]
    return said


def judge(judges: Sequence[Judge], items: Sequence[Item], P: Params, folder: Path) -> JudgeReport:
    """Judge all items in the mode that the parameters name."""
    store = cache(folder, P.judge_replay_only)
    return judge_items(judges, items, mode=P.judge_mode, cache=store, repeats=P.judge_repeats)


def audit_readings(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """The audit's single numbers as rows `reading`, `judge`, `value`, `n`; value None where it cannot be measured."""
    rows = []
    for name in ("order_flip_rate", "tie_rate", "self_consistency"):
        for who, found in audit[name].items():
            rows.append({"reading": name, "judge": who, "value": found["value"], "n": found["n"]})
    for name in ("length_correlation", "kendall_tau"):
        rows.append({"reading": name, "judge": "all", "value": audit[name]["value"], "n": audit[name]["n"]})
    for pair in audit["agreement"]:
        rows.append(
            {"reading": "agreement", "judge": " / ".join(pair["judges"]), "value": pair["value"], "n": pair["n"]}
        )
    return rows


def gate(audit: dict[str, Any], P: Params) -> list[dict[str, Any]]:
    """The thresholds of the parameters that an audit fails."""
    return judge_audit.gate(
        audit,
        min_detection=P.audit_min_detection,
        max_flip_rate=P.audit_max_flip_rate,
        min_kendall_tau=P.audit_min_kendall_tau,
        max_length_correlation=P.audit_max_length_correlation,
    )


def gate_message(failed: Sequence[dict[str, Any]], P: Params) -> str:
    """Why training must not start, or an empty string."""
    if not failed:
        return ""
    reasons = "; ".join(
        f"{row['reason']} ({row['threshold']}: {row['value']:.2f}, limit {row['limit']:g})" for row in failed
    )
    advice = "overridden by audit_override" if P.audit_override else "mend the judge, or set audit_override: true"
    return f"the judge failed its audit: {reasons}; {advice}"


def write_verdicts(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write what the judges said, for 04_dpo."""
    write_json(path, [{**vars(v), "scores": list(v.scores), "criteria": list(v.criteria)} for v in verdicts])


def read_labels(folder: Path, cases: Sequence[Case]) -> tuple[list[Item], list[Verdict]]:
    """Read candidates and verdicts that 03_rlaif_labels wrote.

    Args:
        cases: the training cases they belong to.
    """
    of = {case.id: case for case in cases}
    texts: dict[str, list[str]] = {}
    for line in filter(None, (folder / "candidates.jsonl").read_text("utf-8").split("\n")):
        row = json.loads(line)
        texts.setdefault(row["case_id"], []).append(row["text"])
    verdicts = [
        Verdict(v["case_id"], tuple(v["scores"]), tuple(v["criteria"]), v["status"])
        for v in json.loads((folder / "verdicts.json").read_text("utf-8"))
    ]
    return [Item(of[v.case_id], tuple(texts[v.case_id])) for v in verdicts], verdicts


def pairs(items: Sequence[Item], verdicts: Sequence[Verdict], P: Params, seed: int) -> preferences.PairSet:
    """Preference pairs as the parameters want them."""
    return preferences.build_pairs(
        items,
        verdicts,
        prompts.prompt,
        strategy=P.pair_strategy,
        margin=P.pair_margin,
        max_overlap=P.pair_max_overlap,
        max_length_ratio=P.pair_max_length_ratio,
        pairs_per_prompt=P.pair_number,
        labels=P.pair_labels,
        seed=seed,
    )


def write_rows(path: Path, rows: Sequence[dict]) -> None:
    """Write rows as JSON lines, loadable by `datasets.load_dataset("json", …)`."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
