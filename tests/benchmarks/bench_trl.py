"""SFT and DPO as the study's stages train, beside TRL's trainers as its own example scripts call them, in one run.

    python tests/benchmarks/bench_trl.py [--model FOLDER_OR_GGUF] [--rows 32] [--out trl.json]

Same model, rows, batch, LoRA on all linear layers, learning rate and compute type; everything else is what either side
does by itself. TRL's side is `trl/scripts/sft.py` and `dpo.py` without their command line: `SFTTrainer` or `DPOTrainer`
on conversational rows with their default arguments. Each way is a process of its own, the ways take turns, medians are
compared. Tokens are those of the rows, without padding, question and answer, each once a pass; DPO's of both answers.
Ours runs with the allocator settings that a stage's kernel has. On a GPU also the model FLOPs utilisation: 4 FLOPs a
weight and token (forward, and backward through frozen weights) against a large matrix product measured there.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tcm_rlaif.runner.kernel import KEEP_MEMORY

WAYS = ("ours sft", "trl sft", "ours dpo", "trl dpo")


def way(name: str, model: str, rows: int, batch: int, threads: int) -> dict:
    """Train one pass in this process.

    Returns:
        tokens, wall (s), peak memory (GiB), mean loss; on a GPU mfu.
    """
    import torch
    from transformers.utils import logging

    from tcm import invented
    from tcm_rlaif.models import chat, loading, prompts, tiny
    from tcm_rlaif.study.schema import Params
    from tcm_rlaif.training import dpo, sft

    logging.set_verbosity_error()
    torch.set_num_threads(threads)
    same = {"sft_batch_size": batch, "dpo_batch_size": batch, "dpo_accumulation": 1, "sft_epochs": 1, "dpo_epochs": 1}
    P = Params(base_model=model, **same, sft_learning_rate=2.0e-4, dpo_learning_rate=5.0e-6, sft_max_length=4096)
    if model == "tiny":
        tokenizer = tiny.train_tokenizer(P)
        base = tiny.new_tiny(P, tokenizer)
    else:
        base, tokenizer = loading.load_base(model, P)
    weights = sum(p.numel() for p in base.parameters())
    cases = invented.invent_cases(rows, P.data_follow_up_share, 1, P.base_patterns)
    asked = sft.sft_rows(cases)
    pairs = [{"prompt": prompts.prompt(case), "chosen": prompts.completion(case.answer),
              "rejected": prompts.completion(other.answer)}
             for case, other in zip(cases, [*cases[1:], cases[0]], strict=True)]  # fmt: skip
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        ours, kind = name.split()
        if ours == "ours":
            given = {"seed": 0, "folder": Path(folder)}
            trainer = (sft.sft_trainer(base, tokenizer, asked, None, P, **given) if kind == "sft" else
                       dpo.trainer(base, tokenizer, pairs, P, **given))  # fmt: skip
        else:
            trainer = of_trl(kind, base, tokenizer, asked, pairs, P, folder)
        started = time.perf_counter()
        loss = trainer.train().training_loss
        wall = time.perf_counter() - started
    sides = ("completion",) if kind == "sft" else ("chosen", "rejected")
    table = asked if kind == "sft" else pairs
    tokens = sum(len(chat.row_tokens(tokenizer, row["prompt"], row[side])[0]) for row in table for side in sides)
    found = {"tokens": tokens, "wall": wall, "loss": loss, "device": torch.device(base.device).type}
    if torch.cuda.is_available():
        found["peak"] = torch.cuda.max_memory_allocated() / 2**30
        found["mfu"] = 4 * weights * tokens / wall / ceiling()
    else:
        found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return found


def of_trl(kind: str, base, tokenizer, asked, pairs, P, folder: str):
    """TRL's trainer as its example script makes it."""
    import torch
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    from tcm_rlaif.models.loading import compute_dtype
    from tcm_rlaif.training.adapters import lora

    same = {"output_dir": folder, "num_train_epochs": 1, "seed": 0, "report_to": "none", "max_length": None,
            "use_cpu": not torch.cuda.is_available(), "bf16": compute_dtype(P) == torch.bfloat16,
            "save_strategy": "no"}  # fmt: skip
    if kind == "sft":
        how = SFTConfig(**same, per_device_train_batch_size=P.sft_batch_size, learning_rate=P.sft_learning_rate)
        rows = asked.select_columns(["prompt", "completion"])
        return SFTTrainer(base, how, train_dataset=rows, processing_class=tokenizer, peft_config=lora(P))
    how = DPOConfig(**same, per_device_train_batch_size=P.dpo_batch_size, learning_rate=P.dpo_learning_rate,
                    beta=P.dpo_beta)  # fmt: skip
    return DPOTrainer(base, args=how, train_dataset=Dataset.from_list(pairs), processing_class=tokenizer,
                      peft_config=lora(P))  # fmt: skip


def ceiling() -> float:
    """FLOPs a second of a large bfloat16 matrix product on this GPU."""
    import torch

    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(5):
        torch.cuda.synchronize()
        started = time.perf_counter()
        a @ a
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * 8192**3 / best


def measured(name: str, options: argparse.Namespace) -> dict:
    """Figures of one way, from a process of its own."""
    settings = {"name": name, "model": options.model, "rows": options.rows, "batch": options.batch,
                "threads": options.threads}  # fmt: skip
    environment = {**os.environ, **(KEEP_MEMORY if name.startswith("ours") else {})}
    done = subprocess.run([sys.executable, __file__, "--way", json.dumps(settings)], env=environment,
                          capture_output=True, text=True)  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, print a row a way, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="a real one: folder or .gguf file")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON: this model's figures are put among those that it holds")
    parser.add_argument("--way", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print("\n" + json.dumps(way(**options.way)))
        return
    found: dict[str, list[dict]] = {name: [] for name in WAYS}
    for _ in range(options.repeats):
        for name in WAYS:
            found[name].append(measured(name, options))
            print(f"{name}: {found[name][-1]['wall']:.0f} s", file=sys.stderr, flush=True)
    rows = {}
    for name, runs in found.items():
        numbers = [key for key, value in runs[0].items() if not isinstance(value, str)]
        rows[name] = {key: statistics.median(run[key] for run in runs) for key in numbers}
        rows[name]["rate"] = rows[name]["tokens"] / rows[name]["wall"]
    for name, row in rows.items():
        theirs = rows[f"trl {name.split()[1]}"]
        row["rate_ratio"], row["peak_ratio"] = row["rate"] / theirs["rate"], row["peak"] / theirs["peak"]
        print(f"{name}: {row['rate']:.0f} tokens/s (x {row['rate_ratio']:.2f}), peak {row['peak']:.2f} GiB "
              f"(x {row['peak_ratio']:.2f}), loss {row['loss']:.4f}"
              + (f", MFU {row['mfu']:.0%}" if "mfu" in row else ""), flush=True)  # fmt: skip
    if options.out:
        said = {name: getattr(options, name) for name in ("rows", "batch", "repeats", "threads")} | {"ways": rows}
        others = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
        options.out.write_text(json.dumps(others | {Path(options.model).name: said}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
