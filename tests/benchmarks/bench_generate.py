"""Tokens per second of candidate generation, batched by `sampling.sample` against one prompt at a time.

    python tests/benchmarks/bench_generate.py

The loop is what one writes first: transformers' own `generate` on each prompt. Both answer greedily, so their answers
can be compared: they have to be the same. Drawn answers are compared likewise, in batches and in batches of one; there
a batch lasts as long as its longest answer. The tiny base of the default study is used where a study has built it,
otherwise a freshly initialised model of its size, whose answers run to the length limit.
"""

import argparse
import time

import torch

from tcm.invented import invent_cases
from tcm_rlaif.models import loading, prompts, tiny
from tcm_rlaif.models.sampling import sample
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training.pretraining import cached_folder


def load(P: Params, source: str):
    """The base named, else the default tiny base, else a fresh one, in evaluation mode and float32."""
    if source or cached_folder(P).is_dir():
        return *loading.load_base(source or str(cached_folder(P)), P), source or "the tiny base"
    tokenizer = tiny.train_tokenizer(P)
    tokenizer.padding_side = "left"
    return tiny.new_tiny(P, tokenizer).eval(), tokenizer, "a freshly initialised tiny model"


def one_at_a_time(model, tokenizer, cases, limit: int) -> tuple[list[str], int]:
    """Greedy answers by a plain loop over `generate`, and their tokens together."""
    texts, tokens = [], 0
    for case in cases:
        inputs = tokenizer.apply_chat_template(
            prompts.prompt(case), add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(model.device)
        with torch.inference_mode():
            out = model.generate(
                **inputs, do_sample=False, max_new_tokens=limit, pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
        said = out[0, inputs["input_ids"].shape[1] :]
        tokens += len(said)
        texts.append(tokenizer.decode(said, skip_special_tokens=True).strip())
    return texts, tokens


def main() -> None:
    """Measure and print one row a way of generating."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=48, help="prompts, one answer each")
    parser.add_argument("--batch-size", type=int, default=Params().candidate_batch_size)
    parser.add_argument("--base", default="", help="another base model: folder, hub id or .gguf file")
    parser.add_argument("--threads", type=int, default=0, help="of the processor; 0 = as many as torch takes")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    P = Params(base_dtype="float32")
    model, tokenizer, what = load(P, options.base)
    cases = invent_cases(options.cases, P.data_follow_up_share, 1, P.base_patterns)
    settings = {"number": 1, "max_new_tokens": P.candidate_max_new_tokens, "seed": 0}
    greedy = {**settings, "temperature": 0.0}
    one_at_a_time(model, tokenizer, cases[:1], 8)  # warm up

    started = time.perf_counter()
    alone, tokens = one_at_a_time(model, tokenizer, cases, P.candidate_max_new_tokens)
    slow = time.perf_counter() - started
    started = time.perf_counter()
    batched = sample(model, tokenizer, cases, batch_size=options.batch_size, **greedy)
    fast = time.perf_counter() - started
    assert [s.text for s in batched] == alone and sum(s.tokens for s in batched) == tokens, "answers differ"

    chance = {**settings, "temperature": P.candidate_temperature, "top_p": P.candidate_top_p}
    started = time.perf_counter()
    drawn_alone = sample(model, tokenizer, cases, batch_size=1, **chance)
    middle = time.perf_counter()
    drawn = sample(model, tokenizer, cases, batch_size=options.batch_size, **chance)
    drawn_slow, drawn_fast = middle - started, time.perf_counter() - middle
    assert drawn == drawn_alone, "drawn answers differ"
    some = sum(s.tokens for s in drawn)

    print(f"{what}, {model.device}, {torch.get_num_threads()} threads: {len(cases)} prompts, {tokens} tokens from both")
    print(f"one at a time: {slow:.1f} s, {tokens / slow:.0f} tokens/s")
    print(f"batches of {options.batch_size}: {fast:.1f} s, {tokens / fast:.0f} tokens/s, ratio {slow / fast:.1f}")
    print(f"drawn, {some} tokens: one at a time {some / drawn_slow:.0f}, in batches {some / drawn_fast:.0f} tokens/s, "
          f"ratio {drawn_slow / drawn_fast:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
