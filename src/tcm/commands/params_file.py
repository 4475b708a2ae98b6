"""The params file that `import` writes: the records as they were found, arms and settings of a measured study."""

import argparse
import re
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

import yaml

from tcm import answers
from tcm.answers import wording
from tcm.cases import Case, CaseError
from tcm.files import write_text

PARAMS = Path(__file__).resolve().parents[3] / "params"
LIKE = {False: PARAMS / "best4sdt.yaml", True: PARAMS / "qwen-small.yaml"}
"""Whether a real model is named -> the study of public case records whose arms and settings own records get."""
OF_THE_OTHER = ("study", "seeds", "sizes", "gpus", "sft_cases")
"""Keys, beside those of its data, that say what the other study is, not how it learns."""
ROOM = {"sft_max_length": 768, "candidate_max_new_tokens": 160, "eval_max_new_tokens": 160}
"""Tokens that the defaults have room for: a training row, and an answer."""
TOKENS = 1.3
"""Tokens a character at most. Source: measured, the tiny model's tokenizer on clinical text new to it (1.28)."""


def settings(like: Path | None, model: str | None) -> dict[str, Any]:
    """What own records take from another params file: everything but its name, seeds and records.

    Args:
        like: the other params file; None for that of `LIKE`.
        model: the model to train; None for the other file's.

    Raises:
        CaseError: where the file is not there or is no params file.
    """
    path = like or LIKE[bool(model)]
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise CaseError(f"{path}: cannot be read as a params file ({reason}); give --like another") from error
    if not isinstance(values, dict):
        raise CaseError(f"{path}: holds no `key: value` lines; give --like a params file")
    taken = {k: v for k, v in values.items() if not (k.startswith("data_") or k in OF_THE_OTHER)}
    if model:  # a study looks for a relative path in its own folder, whoever names one means this one
        taken["base_model"] = str(Path(model).resolve()) if Path(model).exists() else model
    return taken


def write(
    args: argparse.Namespace, columns: Mapping[str, str | tuple[str, ...]], kept: list[Case], facts: list[str]
) -> None:
    """Write the params file: what was found as comments, then the keys.

    Args:
        args: the arguments of `import`.
        columns: field -> column or columns of it.
        kept: cases with an answer to learn from.
        facts: what was found, a sentence each.
    """
    values: dict[str, Any] = {
        "study": re.sub(r"[^a-z0-9_-]+", "_", args.out.stem.lower()).strip("_-") or "mine",
        "data_source": "own",
        "data_path": str(args.file.resolve()),
        "data_columns": {f: c if isinstance(c, str) else list(c) for f, c in columns.items()},
    }
    options = {"data_fill_merged": args.fill_merged, "data_leave_out": args.leave_out, "data_allow_few": args.allow_few}
    values |= {key: True for key, given in options.items() if given}
    values |= {} if args.max_unread is None else {"data_max_unread": args.max_unread}
    found = ["Written by `./study import`. What was found:", *facts]
    other = args.like or f"params/{LIKE[bool(args.model)].name}"
    said = f"Arms and settings of {other}; `./study params` explains every key:"
    taken = settings(args.like, args.model)
    taken |= {key: tokens for key, tokens in _room(kept).items() if tokens > taken.get(key, ROOM[key])}
    write_text(args.out, _said(found) + _lines(values) + _said([said]) + _lines(taken))


def _said(sentences: list[str]) -> str:
    return "".join(f"# {' '.join(sentence.split())}\n" for sentence in sentences)


def _lines(values: Mapping[str, Any]) -> str:
    """The keys as YAML: short lists and mappings on one line, sentences on one each."""

    def block(value: Any) -> bool | None:
        sentences = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        return False if sentences or not isinstance(value, (dict, list)) else None

    layout = {"allow_unicode": True, "sort_keys": False, "width": 110}
    return "".join(yaml.safe_dump({k: v}, default_flow_style=block(v), **layout) for k, v in values.items())


def _room(kept: list[Case]) -> dict[str, int]:
    """Tokens that these records need, without evidence in their prompts.

    A row that does not fit stops the study, and an answer is cut.
    """
    answer = [len(answers.write(case.answer)) for case in kept]
    row = [len(wording.case_text(case)) + length for case, length in zip(kept, answer, strict=True)]
    characters = {key: max(row) + 64 if key == "sft_max_length" else max(answer) for key in ROOM}
    return {key: 32 * ceil(TOKENS * number / 32) for key, number in characters.items()}
