"""Tokens per second of candidate generation, batched by `generate.sample` against one prompt at a time.

    python tests/benchmarks/bench_generate.py

The loop is what one writes first: transformers' own `generate` on each prompt. Both answer greedily, so their answers
can be compared: they have to be the same. The tiny base of the default study is used where a study has built it,
otherwise a freshly initialised model of its size, whose answers run to the length limit.
"""

import argparse
import time

from tcm_rlaif import models, prompts, synth
from tcm_rlaif.generate import sample
from tcm_rlaif.schema import Params


def load(P: Params):
    """The default tiny base, or a fresh one where there is none, in evaluation mode and float32."""
    folder = models.tiny_folder(P)
    if folder.is_dir():
        return *models.load_base(str(folder), P), "the tiny base"
    tokenizer = models.train_tokenizer(P)
    tokenizer.padding_side = "left"
    return models.new_tiny(P, tokenizer).eval(), tokenizer, "a freshly initialised tiny model"


def one_at_a_time(model, tokenizer, cases, limit: int) -> tuple[list[str], int]:
    """Greedy answers by a plain loop over `generate`, and their tokens together."""
    import torch

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
    options = parser.parse_args()
    P = Params(base_dtype="float32")
    model, tokenizer, what = load(P)
    cases = synth.invent_cases(options.cases, P.data_follow_up_share, 1, P.base_patterns)
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

    started = time.perf_counter()
    drawn = sample(model, tokenizer, cases, batch_size=options.batch_size, temperature=0.9, top_p=0.95, **settings)
    drawing = time.perf_counter() - started
    print(f"{what}, {model.device}, {len(cases)} prompts, {tokens} tokens, the same answers from both")
    print(f"one at a time: {slow:.1f} s, {tokens / slow:.0f} tokens/s")
    print(f"batches of {options.batch_size}: {fast:.1f} s, {tokens / fast:.0f} tokens/s, ratio {slow / fast:.1f}")
    print(f"drawn at temperature 0.9, top-p 0.95: {sum(s.tokens for s in drawn) / drawing:.0f} tokens/s")


if __name__ == "__main__":
    main()
