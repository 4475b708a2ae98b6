"""Training speed of SFT with and without what saves time on a processor, as ratios in one run.

    python tests/benchmarks/bench_training.py [--model FOLDER_OR_GGUF] [--threads 1] [--beside 1]

Each way of training is a process of its own, and the ways take turns, so that what else runs on the machine falls on
all of them; medians are compared. Other programs change tokens a second, but hardly tokens a second *of processor
time*, the system's share of it and page faults (pages taken anew, which the system fills with zeros). Without `--model`
it is the tiny model at its default size with random weights: what they are does not change the work.
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

WARM_UP = 3  # first steps, not counted: kernels are built for each shape, and memory is taken for the first time
WAYS = {"as the study trains": {}, "memory given back": {"returned": True}}  # `returned`: without `KEEP_MEMORY`
REAL_ONLY = {
    "every token in the head": {"head": "all"},
    "checkpointing the other way": {"other_checkpointing": True},
    "adapters' inputs copied": {"copied": True},
    "dropout on adapters' inputs": {"dropout": 0.05},
}


def way(
    model: str, threads: int, steps: int, batch: int, head="", other_checkpointing=False, copied=False, dropout=0.0
) -> dict:
    """Train so many steps in this process.

    Returns:
        tokens, wall, user and system time (s), page faults, peak memory (GiB), mean loss.
    """
    import torch
    from transformers import TrainerCallback
    from transformers.utils import logging

    from tcm import invented
    from tcm_rlaif.models import loading, tiny
    from tcm_rlaif.study.schema import Params
    from tcm_rlaif.training import economy, sft

    logging.set_verbosity_error()
    torch.set_num_threads(threads)
    if head == "all":
        economy.answers_alone = lambda: None
    if other_checkpointing:
        economy.checkpointing = lambda *given, rule=economy.checkpointing: not rule(*given)
    if copied:
        economy.inputs_once = lambda: None
    P = Params(base_model=model, sft_batch_size=batch, sft_epochs=1, lora_dropout=dropout)
    if model == "tiny":
        tokenizer = tiny.train_tokenizer(P)
        base = tiny.new_tiny(P, tokenizer)
    else:
        base, tokenizer = loading.load_base(model, P)
    rows = sft.sft_rows(invented.invent_cases(batch * (WARM_UP + steps), P.data_follow_up_share, 1, P.base_patterns))
    torch.manual_seed(0)
    seen = []

    class Reading(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step in (WARM_UP, WARM_UP + steps):
                usage = resource.getrusage(resource.RUSAGE_SELF)
                seen.append((time.perf_counter(), usage, trainer._total_train_tokens))

    with tempfile.TemporaryDirectory() as folder:
        trainer = sft.sft_trainer(base, tokenizer, rows, None, P, seed=0, folder=Path(folder))
        trainer.add_callback(Reading())
        loss = trainer.train().training_loss
    (begin, before, tokens_before), (end, after, tokens) = seen
    return {
        "tokens": tokens - tokens_before, "wall": end - begin, "user": after.ru_utime - before.ru_utime,
        "system": after.ru_stime - before.ru_stime, "faults": after.ru_minflt - before.ru_minflt,
        "peak": after.ru_maxrss / 2**20, "loss": loss,
    }  # fmt: skip


def measured(settings: dict, beside: int) -> list[dict]:
    """Figures of so many processes that train in this way side by side."""
    settings = dict(settings)
    memory = {} if settings.pop("returned", False) else KEEP_MEMORY
    command = [sys.executable, __file__, "--way", json.dumps(settings)]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": {**os.environ, **memory}}
    running = [subprocess.Popen(command, **piped) for _ in range(beside)]
    said = [process.communicate() for process in running]
    if failed := [errors for process, (_, errors) in zip(running, said, strict=True) if process.returncode]:
        raise SystemExit(f"{settings}: {failed[0][-1500:]}")
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


def main() -> None:
    """Measure and print one row a way of training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="a real one: folder or .gguf file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--more-threads", type=int, default=0, help="one more way: with so many threads")
    parser.add_argument("--beside", type=int, default=1, help="processes of the same kind side by side")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print("\n" + json.dumps(way(**options.way)))
        return
    common = {name: getattr(options, name) for name in ("model", "threads", "steps", "batch")}
    ways = WAYS | (REAL_ONLY if options.model != "tiny" else {})
    if options.more_threads:
        ways = ways | {f"{options.more_threads} threads": {"threads": options.more_threads}}
    found: dict[str, list[dict]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, settings in ways.items():
            found[name] += measured(common | settings, options.beside)
    print(f"{options.model}: {options.threads} threads, {options.beside} side by side, batches of {options.batch}")
    first: dict[str, float] = {}
    for name, runs in found.items():
        m = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        m["rate"], m["cpu rate"] = m["tokens"] / m["wall"], m["tokens"] / (m["user"] + m["system"])
        first = first or m
        times = {key: m[key] / first[key] for key in ("rate", "cpu rate", "peak")}
        print(
            f"{name}: {m['rate']:.0f} tokens/s (x {times['rate']:.2f}), "
            f"of processor time {m['cpu rate']:.0f} (x {times['cpu rate']:.2f}), "
            f"system {m['system'] / (m['user'] + m['system']):.0%}, "
            f"{m['faults'] / options.steps:.0f} page faults a step, "
            f"peak {m['peak']:.2f} GiB (x {times['peak']:.2f}), loss {m['loss']:.5f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
