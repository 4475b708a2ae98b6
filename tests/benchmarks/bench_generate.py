"""Tokens per second of drawn candidates: `sampling.sample` against transformers' `generate` drawing row by row.

    python tests/benchmarks/bench_generate.py --base BASE --adapter ADAPTER

The old way, kept here, hands `generate` a logits processor that draws each row of a batch from a generator of its own
in a loop, holds ended answers in the batch, and reads a prompt once an answer. The default study's tiny base is used
where a study has built it, otherwise a freshly initialised model of its size, whose answers run to the length limit;
what the default study samples from is that base with the adapter of its 02_sft. Both ways answer greedily, too: these
answers have to be the same (in float32, up to a tie), and so have those that batches of another size draw.
"""

import argparse
import time
from pathlib import Path

import torch
from transformers import LogitsProcessor, TemperatureLogitsWarper, TopPLogitsWarper

from tcm.invented import invent_cases
from tcm_rlaif.models import loading, tiny
from tcm_rlaif.models.sampling import answer_seed, prompt_ids, sample
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training.pretraining import cached_folder


def load(P: Params, source: str, adapter: str):
    """The base named, else the default tiny base, else a fresh one, in evaluation mode and float32."""
    if source or cached_folder(P).is_dir():
        path = Path(adapter).resolve() if adapter else None
        return *loading.load_policy(source or str(cached_folder(P)), path, P), source or "the tiny base"
    tokenizer = tiny.train_tokenizer(P)
    tokenizer.padding_side = "left"
    return tiny.new_tiny(P, tokenizer).eval(), tokenizer, "a freshly initialised tiny model"


class PerRow(LogitsProcessor):
    """Draws the next token row by row with a generator each, and leaves only that one."""

    def __init__(self, seeds: list[int], temperature: float, top_p: float, over: set[int]) -> None:
        self.generators = [torch.Generator().manual_seed(s) for s in seeds]
        self.warmers, self.over = [TemperatureLogitsWarper(temperature), TopPLogitsWarper(top_p)], over

    def __call__(self, input_ids, scores):
        going = [i for i, last in enumerate(input_ids[:, -1].tolist()) if last not in self.over]
        warped = scores[going].float()
        for warmer in self.warmers:
            warped = warmer(input_ids[going], warped)
        only = torch.full_like(scores, float("-inf"))
        only[:, min(self.over)] = 0.0
        for i, probability in zip(going, warped.softmax(-1).cpu(), strict=True):
            only[i] = float("-inf")
            only[i, torch.multinomial(probability, 1, generator=self.generators[i])] = 0.0
        return only


def row_by_row(model, tokenizer, cases, *, number, temperature, top_p, max_new_tokens, batch_size, seed) -> list[list]:
    """Token ids of every answer, in the order of the cases, the old way."""
    asked = prompt_ids(tokenizer, cases)
    jobs = sorted(((i, n) for i in range(len(cases)) for n in range(number)), key=lambda job: (len(asked[job[0]]), job))
    over, done = {tokenizer.eos_token_id, tokenizer.pad_token_id}, {}
    for start in range(0, len(jobs), batch_size):
        batch = jobs[start : start + batch_size]
        inputs = tokenizer.pad({"input_ids": [asked[i] for i, _ in batch]}, return_tensors="pt").to(model.device)
        seeds = [answer_seed(seed, cases[i].id, n) for i, n in batch]
        with torch.inference_mode():
            out = model.generate(
                **inputs, do_sample=False, max_new_tokens=max_new_tokens, pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
                logits_processor=[PerRow(seeds, temperature, top_p, over)] if temperature else [],
            )  # fmt: skip
        ends = over if temperature else {tokenizer.eos_token_id}
        for job, row in zip(batch, out[:, inputs["input_ids"].shape[1] :].tolist(), strict=True):
            done[job] = row[: next((at for at, token in enumerate(row, 1) if token in ends), len(row))]
    return [done[job] for job in sorted(done)]


def timed(way, *args, **settings) -> tuple[list[list[int]], float]:
    """Token ids of the answers, and seconds: of the processor where it computes, since a busy machine shares it."""
    clock = time.process_time if args[0].device.type == "cpu" else time.perf_counter
    started = clock()
    said = way(*args, **settings)
    return [list(getattr(answer, "ids", answer)) for answer in said], clock() - started


def main() -> None:
    """Measure both ways in turn and print tokens a second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=24, help="prompts")
    parser.add_argument("--number", type=int, default=8, help="answers a prompt")
    parser.add_argument("--batch-size", type=int, default=Params().candidate_batch_size, help="of the new way")
    parser.add_argument("--old-batch-size", type=int, default=48, help="of the old way")
    parser.add_argument("--base", default="", help="another base model: folder, hub id or .gguf file")
    parser.add_argument("--adapter", default="", help="folder of an adapter on it")
    parser.add_argument("--rounds", type=int, default=2, help="times that each way is measured, in turn")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    P = Params(base_dtype="float32")
    model, tokenizer, what = load(P, options.base, options.adapter)
    cases = invent_cases(options.cases, P.data_follow_up_share, 1, P.base_patterns)
    on = (model, tokenizer, cases)
    settings = {"number": options.number, "temperature": P.candidate_temperature, "top_p": P.candidate_top_p,
                "max_new_tokens": P.candidate_max_new_tokens, "seed": 0}  # fmt: skip

    greedy = {**settings, "number": 1, "temperature": 0.0, "batch_size": options.old_batch_size}
    old, new = timed(row_by_row, *on, **greedy)[0], timed(sample, *on, **greedy)[0]
    same = sum(a == b for a, b in zip(old, new, strict=True))
    print(
        f"{what}, {model.device}, {options.threads} threads; greedy answers that are the same: {same} of {len(cases)}"
    )
    assert same >= 0.95 * len(cases), "greedy answers differ"

    slow = fast = slow_tokens = fast_tokens = 0
    for _ in range(options.rounds):
        said, seconds = timed(row_by_row, *on, **settings, batch_size=options.old_batch_size)
        slow, slow_tokens = slow + seconds, slow_tokens + sum(map(len, said))
        drawn, seconds = timed(sample, *on, **settings, batch_size=options.batch_size)
        fast, fast_tokens = fast + seconds, fast_tokens + sum(map(len, drawn))
    print(f"row by row, batches of {options.old_batch_size}: {slow_tokens / slow:.0f} tokens/s ({slow_tokens} tokens)")
    print(f"now, batches of {options.batch_size}: {fast_tokens / fast:.0f} tokens/s ({fast_tokens} tokens), "
          f"ratio {fast_tokens / fast * slow / slow_tokens:.1f}")  # fmt: skip
    other = timed(sample, *on, **settings, batch_size=max(1, options.batch_size // 3))[0]
    same = sum(a == b for a, b in zip(drawn, other, strict=True))
    print(f"drawn in batches of {max(1, options.batch_size // 3)}: {same} of {len(drawn)} answers the same")


if __name__ == "__main__":
    main()
