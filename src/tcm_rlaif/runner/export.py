"""`./study export`: a trained arm for others to use: PEFT adapter, merged weights, preference pairs, each with a card.

What is written needs nothing of this project: plain transformers and peft load adapter and merged weights, a server
(`transformers serve`, vLLM) the merged folder, `datasets.load_dataset` the pairs.
"""

import json
import os
import shutil
from pathlib import Path

from tcm.files import read_json, read_rows, write_text
from tcm_rlaif.models import chat
from tcm_rlaif.runner import asked, cards
from tcm_rlaif.runner.trained import Trained
from tcm_rlaif.study import outputs
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.plan import StageError

ADAPTER, MERGED, PAIRS, BASE = "adapter", "merged", "preferences", "base"


def export(trained: Trained, out: Path) -> dict[str, Path]:
    """Write all of an arm into a new folder, whole or not at all.

    Args:
        out: a folder that does not exist yet, or is empty.

    Returns:
        What was written, by name: ``adapter``, ``merged`` where the adapter is LoRA, ``preferences`` where AI feedback
        made pairs, and ``base`` where it is the tiny one.

    Raises:
        StageError: for an arm that trains nothing, or a folder that is in use.
    """
    if trained.adapter is None:
        raise StageError(
            f"arm {trained.arm!r} trains nothing, so there is nothing to export; use its base model itself"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StageError(f"{out}: is there already; name a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _write(trained, part)
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return {path.name: path for path in sorted(out.iterdir()) if path.is_dir()}


def _write(trained: Trained, out: Path) -> None:
    # merged in plain weights, also where training kept the base packed in 4 bits: packed ones would be rounded again
    policy, tokenizer = trained.load(trained.P.model_copy(update={"base_quantization": "none"}))
    # in place of the base's own, whose penalties and temperature the study did not answer with
    how = asked.decoding(trained.P, chat.ends(policy, tokenizer), tokenizer.pad_token_id)
    tokenizer.chat_template = asked.template(tokenizer)
    shutil.copytree(trained.adapter, out / ADAPTER, ignore=shutil.ignore_patterns("README.md", "training_args.bin"))
    _name_base(out / ADAPTER / "adapter_config.json", cards.base_name(trained))
    if trained.P.base_model == "tiny":  # nobody else has it
        shutil.copytree(ROOT / trained.source, out / BASE, ignore=shutil.ignore_patterns(outputs.MANIFEST))
    kinds = [ADAPTER]
    if trained.P.adapter == "lora":
        kinds.append(MERGED)
        merged = policy.merge_and_unload(safe_merge=True)
        merged.generation_config = how
        merged.save_pretrained(out / MERGED)
    else:
        print(f"{cards.LEARNED[trained.P.adapter]} cannot be merged into the base's weights: the adapter alone")
    for name in kinds:
        tokenizer.save_pretrained(out / name)
        how.save_pretrained(out / name)
        write_text(out / name / "README.md", cards.model_card(trained, name))
    if pairs := preference_rows(trained):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in pairs)
        write_text(out / PAIRS / "data" / "train.jsonl", "".join(lines))
        write_text(out / PAIRS / "README.md", cards.data_card(trained, pairs))


def _name_base(path: Path, base: str) -> None:
    """Say in an adapter's configuration which base it is for, in words that hold on other machines."""
    config = read_json(path)
    write_text(path, json.dumps(config | {"base_model_name_or_path": base}, ensure_ascii=False, indent=2) + "\n")


def preference_rows(trained: Trained) -> list[dict]:
    """The pairs that the arm's AI feedback made, as `04_dpo` wrote them; none for an arm without it."""
    path = trained.folders["dpo"] / "pairs.jsonl" if "dpo" in trained.folders else None
    return read_rows(path) if path and path.is_file() else []
