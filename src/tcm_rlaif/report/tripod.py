"""The TRIPOD-LLM table: what a report on a language model in medicine should tell, and where this study tells it.

Source of the items and their numbers: TRIPOD-LLM, Nature Medicine 2025;31:60-69, doi 10.1038/s41591-024-03425-5,
held against two public transcriptions of its Table 2. The wording is ours and short. Values come from `results.json`;
what does not apply says why.
"""

from pathlib import Path
from typing import Any

from tcm.metrics import FLOORS
from tcm_rlaif.report import headline

STUDY = "default"  # the study that the table is filled from
NONE = "Does not apply: "
TEMPLATE = Path(__file__).parent / "templates" / "tripod.md"


def document(results: dict[str, Any]) -> str:
    """The table as Markdown.

    Args:
        results: `results.json` of the study.
    """
    texts = {name: text.replace("|", "\\|").replace("\n", " ") for name, text in _values(results).items()}
    return TEMPLATE.read_text("utf-8").format_map(texts)


def _values(results: dict[str, Any]) -> dict[str, str]:
    """What the template's words in braces stand for."""
    P, invented = results["all_params"], results["data"]["source"] == "invented"
    return {
        "study": results["study"],
        "question": headline.question(results),
        "answer": " ".join(map(headline.plain, headline.answer(results))),
        "missing": "; ".join(headline.not_shown(results)) or "nothing that was asked",
        "source": headline.source(results).capitalize(),
        "dates": f"{NONE}invented cases have no dates." if invented else "Not told by the source; docs/data.md.",
        "ethics": f"{NONE}no patient stands behind invented cases."
        if invented
        else "Public records as published by their owners; for own records the user's duty.",
        "whereabouts": "Made again by notebook 01 from its seed." if invented else "docs/data.md.",
        "splits": _splits(results),
        "funnel": "; ".join(f"{row['step']} {row['cases']}" for row in results["data"]["funnel"])
        + ". Rows add up in 01.",
        "visits": _visits(results),
        "resolved": f"{results['data']['herbs_resolved']['share']:.1%}",
        "model": _model(results),
        "training": _training(results),
        "inference": _inference(results),
        "declared": results["declared"]["said"].replace("**", ""),
        "floors": ", ".join(name for name in FLOORS if name in results["floors"]),
        "audited": str(P["audit_cases"]),
        "repeats": str(max(2, P["judge_repeats"])),
        "candidates": str(P["candidate_number"]),
        "questions": str(len(results["declared"]["family"])),
        "commit": f"commit {results['commit']}" if results.get("commit") else f"code {results['made_with']['src']}",
        "compute": _compute(results),
    }


def _splits(results: dict[str, Any]) -> str:
    parts = ", ".join(f"{row['split']} {row['cases']}" for row in results["data"]["splits"])
    return (
        f"{parts} cases in {results['data']['groups']} groups of one patient or near-duplicates; a group never "
        f"straddles splits. {results['data']['unseen_test']} test cases have a disease with a pattern that no training "
        "case has."
    )


def _visits(results: dict[str, Any]) -> str:
    return "; ".join(
        f"{row['split']}: {row.get('first_visit') or 0} first, {row.get('follow_up_visit') or 0} follow-up visits"
        + (f", {row['diseases']} diseases" if row.get("diseases") else "")
        for row in results["data"]["splits"]
    )


def _model(results: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {results['machine'][name]}" for name in ("torch", "transformers", "trl", "peft"))
    base = results["base"]
    until = f"; last training {results['trained_until']}" if results.get("trained_until") else ""
    return (
        f"`{base['model'].rsplit('/', 1)[-1]}`, {base['parameters'] / 1e6:.1f} million parameters, vocabulary "
        f"{base['vocabulary']}, {base['dtype']}, pre-trained by `00_base_model` on text written from the knowledge "
        f"tables; {versions}{until}."
        if results["all_params"]["base_model"] == "tiny"
        else f"`{base['model']}`, {base['parameters'] / 1e6:.1f} million parameters, {base['dtype']}; {versions}"
        f"{until}."
    )


def _training(results: dict[str, Any]) -> str:
    P = results["all_params"]
    return (
        f"A causal decoder; LoRA (r {P['lora_rank']}, alpha {P['lora_alpha']}); SFT: {P['sft_epochs']:g} epochs, "
        f"learning rate {P['sft_learning_rate']:g}; DPO: beta {P['dpo_beta']:g}; seeds {results['seeds']}. "
        f"All {len(P)} parameters are in `results.json`."
    )


def _inference(results: dict[str, Any]) -> str:
    P = results["all_params"]
    return (
        f"One fixed form of a case as text (9a). Answers at the test: temperature {P['eval_temperature']:g}, at most "
        f"{P['eval_max_new_tokens']} new tokens; candidates for the judge: {P['candidate_number']} a prompt at "
        f"temperature {P['candidate_temperature']:g}. Consistency: each seed answers every case, and differences stand "
        "by seed."
    )


def _compute(results: dict[str, Any]) -> str:
    total = next(row for row in results["cost"] if row["stage"] == "all")
    whole, machine = results["side_by_side"], results["machine"]
    return (
        f"{total['runs']:g} notebook runs, {total['seconds'] / 60:.0f} minutes of them in sum, "
        f"{whole['wall_seconds'] / 60:.0f} minutes side by side, at most {whole['memory_mib'] / 1024:.1f} GiB; "
        f"{machine.get('processor') or machine['platform']}"
        + (f", GPU: {', '.join(machine['gpu']) or 'none'}." if "gpu" in machine else ".")
    )
