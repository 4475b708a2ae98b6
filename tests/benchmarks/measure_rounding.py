"""Measures what moves with rounding alone: the same SFT with the same seed by threads and compute type, as herb F1.

    python tests/benchmarks/measure_rounding.py [--params FILE] [--answers 40] [--cases 60] [--dtypes float32] \
        [--json FILE]

Sums are rounded in another order with another number of threads, and more coarsely in bfloat16; training carries it on
until other words are chosen. Each way is a process of its own, one after the other, on fresh invented cases that belong
to no study. The first way runs twice: on one machine with the same settings nothing may move. The base model is the
one that 00_base_model built for the params file, and SFT goes by that file. `06_ablation` reads reports/rounding.json.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from tcm_rlaif.evaluation.rounding import PATH

WAYS = ((1, "float32"), (1, "float32"), (2, "float32"), (1, "bfloat16"), (2, "bfloat16"))
CASE_SEED = 90_000  # of the invented cases, far from any study's `data_seed`


def way(params_file: str, threads: int, dtype: str, answers: int, cases: int) -> dict[str, Any]:
    """Train and answer in this process.

    Returns:
        The way, mean herb F1 of greedy answers, and the last loss.
    """
    import torch
    from transformers.utils import logging

    from tcm import invented, metrics
    from tcm_rlaif.models import loading, sampling
    from tcm_rlaif.study import params
    from tcm_rlaif.training import arguments, pretraining, sft

    logging.set_verbosity_error()
    torch.set_num_threads(threads)
    model = pretraining.cached_folder(params.load(params_file))
    if not model.exists():
        sys.exit(f"{model}: no such folder; run notebooks/00_base_model.ipynb with {params_file} first")
    P = params.load(params_file, base_dtype=dtype)
    how = (P.data_follow_up_share, CASE_SEED, P.base_patterns, P.data_physicians)
    drawn = invented.invent_cases(answers + cases, *how)
    base, tokenizer = loading.load_base(str(model), P)
    with tempfile.TemporaryDirectory() as folder:
        rows = sft.sft_rows(drawn[:answers], followup_layout=P.sft_followup_layout)
        trainer = sft.sft_trainer(base, tokenizer, rows, None, P, seed=0, folder=Path(folder))
        history = arguments.run(trainer)
    asked = drawn[answers:]
    said = sampling.sample(
        trainer.model.eval(), tokenizer, asked, number=1, temperature=0.0, max_new_tokens=P.eval_max_new_tokens,
        batch_size=P.eval_batch_size, seed=0,
    )  # fmt: skip
    scores = [metrics.score_case(c, s.text, s.finished)["herb_f1"] for c, s in zip(asked, said, strict=True)]
    losses = [float(row["loss"]) for row in history if "loss" in row]
    return {"threads": threads, "dtype": dtype, "herb_f1": fmean(scores), "last_loss": losses[-1]}


def main() -> None:
    """Run every way and write what they differ by."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", default="params/default.yaml", help="params file of a study with the tiny model")
    parser.add_argument("--answers", type=int, default=40, help="training answers")
    parser.add_argument("--cases", type=int, default=60, help="cases to answer")
    parser.add_argument(
        "--dtypes", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"],
        help="compute types; a processor without bfloat16 instructions takes hours for the second",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, default=PATH, help="where the result goes")
    parser.add_argument("--way", nargs=2, metavar=("THREADS", "DTYPE"), help="run one way and print it")
    given = parser.parse_args()
    if given.way:
        print(json.dumps(way(given.params, int(given.way[0]), given.way[1], given.answers, given.cases)))
        return
    runs = []
    for threads, dtype in ((t, d) for t, d in WAYS if d in given.dtypes):
        call = [sys.executable, __file__, "--params", given.params, "--way", str(threads), dtype]
        call += ["--answers", str(given.answers), "--cases", str(given.cases)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{threads} thread(s), {dtype}: {done.stderr[-2000:]}")
        runs.append(json.loads(done.stdout.splitlines()[-1]))
        print(runs[-1], flush=True)
    scores = [run["herb_f1"] for run in runs]
    found = {
        "params": given.params,
        "training_answers": given.answers,
        "test_cases": given.cases,
        "machine": f"{platform.system()} {platform.machine()}",
        "runs": runs,
        "repeated": abs(scores[0] - scores[1]),
        "spread": max(scores) - min(scores),
    }
    given.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(f"spread {found['spread']:.4f}, repeated {found['repeated']:.4f}; written to {given.json}")


if __name__ == "__main__":
    main()
