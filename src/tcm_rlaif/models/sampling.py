"""Sampling answers: batched, prompts of like length together, and seeded per answer.

Each answer draws with the random numbers of its own generator, so neither batch size nor the order of the cases changes
what is drawn.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tcm.cases import Case
from tcm_rlaif.models import chat
from tcm_rlaif.models.decoding import decode
from tcm_rlaif.models.drawn import Drawn, policy_of
from tcm_rlaif.models.ending import before_loop, loops
from tcm_rlaif.models.prompter import PLAIN, Prompter
from tcm_rlaif.study.lab import bar
from tcm_rlaif.study.types import Model, Tensor, Tokenizer


@dataclass(frozen=True)
class Sample:
    """One generated answer.

    Args:
        finished: whether it ended by EOS, or before a loop where answers end there; not by the length limit.
        ids: the tokens as they were drawn, without padding, with EOS. The text read again gives other ones: a model
            spells a word in many ways, a tokenizer in one; an answer ended before a loop has those of its text.
    """

    case_id: str
    number: int
    text: str
    finished: bool
    ids: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Length in tokens."""
        return len(self.ids)


def answer_seed(seed: int, case_id: str, number: int) -> int:
    """Seed of one answer, the same whatever else is sampled beside it."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{case_id}/{number}".encode()).digest()[:7], "big")


def uniform_numbers(seeds: Sequence[int], tokens: int) -> Tensor:
    """The random numbers of answers, one a token, each row from a generator of its own: shape (answers, tokens).

    A longer answer goes on with the numbers of a shorter one.
    """
    import torch

    return torch.stack([torch.rand(tokens, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def context_of(model: Model) -> int | None:
    """Longest text that a model was made for, in tokens; None where its configuration names none."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def named(lengths: Sequence[tuple[str, int]]) -> str:
    """What is too long, for an error: how many, and the first ten by name and length in tokens."""
    first = ", ".join(f"{name} ({length})" for name, length in lengths[:10])
    return f"{len(lengths)} in all: {first}" + (" …" if len(lengths) > 10 else "")


def prompt_ids(tokenizer: Tokenizer, cases: Sequence[Case], prompter: Prompter = PLAIN) -> list[list[int]]:
    """The tokens that a model is asked each case with."""
    return [chat.prompt_tokens(tokenizer, prompter.messages(case)) for case in cases]


def check_context(
    model: Model, tokenizer: Tokenizer, cases: Sequence[Case], room: int, prompter: Prompter = PLAIN
) -> None:
    """Refuse cases whose prompts leave too little of the model's context.

    Args:
        room: longest answer, in tokens.
        prompter: what the cases are asked with.

    Raises:
        ValueError: names the cases and the lengths of their prompts.
    """
    context, asked = context_of(model), prompt_ids(tokenizer, cases, prompter)
    long = [(c.id, len(ids)) for c, ids in zip(cases, asked, strict=True) if context and len(ids) + room > context]
    if long:
        raise ValueError(
            f"prompts of more than {context - room} tokens (the model's context of {context} less {room} for the "
            f"answer): {named(long)}; leave these cases out or shorten them, or take a model with a longer context"
            + prompter.named()
        )


def sample(
    model: Model,
    tokenizer: Tokenizer,
    cases: Sequence[Case],
    *,
    number: int,
    temperature: float,
    top_p: float = 1.0,
    max_new_tokens: int,
    batch_size: int,
    seed: int,
    progress: str = "",
    prompter: Prompter = PLAIN,
    end_at_loop: bool = False,
    unfinished: Path | None = None,
) -> list[Sample]:
    """Generate answers to cases.

    Args:
        number: answers per case.
        temperature: 0 = greedy (then `top_p` and `seed` have no effect).
        max_new_tokens: longest answer, in tokens.
        batch_size: answers generated together; changes speed and memory, not what is drawn (up to rounding).
        progress: what to call the work in the progress bar; empty = no bar.
        prompter: what the cases are asked with, the same as in training.
        end_at_loop: whether an answer ends before a loop of herbs (`ending`).
        unfinished: file that each batch is written to as soon as it is drawn: a killed call that is made again begins
            with the first batch that is not in it. None keeps nothing.

    Returns:
        `number` samples per case, in the order of the cases.

    Raises:
        ValueError: as `check_context`, before anything is sampled.
    """
    check_context(model, tokenizer, cases, max_new_tokens, prompter)
    asked = prompt_ids(tokenizer, cases, prompter)
    jobs = sorted(((i, n) for i in range(len(cases)) for n in range(number)), key=lambda job: (len(asked[job[0]]), job))
    batches = [jobs[i : i + batch_size] for i in range(0, len(jobs), batch_size)]
    stop = chat.ends(model, tokenizer)
    ends = {*stop, tokenizer.pad_token_id}  # an answer that comes to padding goes no further, ended or not
    ended = loops(tokenizer) if end_at_loop else None
    settings = [temperature, top_p, max_new_tokens, seed, end_at_loop]
    drawn_before = Drawn(unfinished, [policy_of(model), settings]) if unfinished else None
    done: dict[tuple[int, int], Sample] = {}
    for batch in bar(batches, desc=progress, disable=not progress, unit="batch"):
        named_batch = [[cases[i].id, n, asked[i]] for i, n in batch]
        if drawn_before and (kept := drawn_before.get(named_batch)):
            done |= {job: Sample(**said | {"ids": tuple(said["ids"])}) for job, said in zip(batch, kept, strict=True)}
            continue
        seeds = [answer_seed(seed, cases[i].id, n) for i, n in batch]
        said = decode(
            model, tokenizer, [asked[i] for i, _ in batch],
            uniform_numbers(seeds, max_new_tokens) if temperature else None,
            temperature=temperature, top_p=top_p, limit=max_new_tokens, ends=ends,
            ended=ended,
        )  # fmt: skip
        for (i, n), ids in zip(batch, said, strict=True):
            text = tokenizer.decode(ids, skip_special_tokens=True).strip()
            drawn = Sample(cases[i].id, n, text, ids[-1] in stop, tuple(ids))
            done[i, n] = _ended(drawn, tokenizer) if end_at_loop else drawn
        if drawn_before:
            drawn_before.add(named_batch, [vars(done[job]) for job in batch])
    return [done[i, n] for i in range(len(cases)) for n in range(number)]


def _ended(said: Sample, tokenizer: Tokenizer) -> Sample:
    """An answer that loops without its loop, ended as a model ends one; any other as it is."""
    text = before_loop(said.text)
    if text is None:
        return said
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return replace(said, text=text, finished=True, ids=(*ids, tokenizer.eos_token_id))


def sample_vllm(
    source: str,
    adapter: Path | None,
    tokenizer: Tokenizer,
    cases: Sequence[Case],
    *,
    number: int,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    seed: int,
    prompter: Prompter = PLAIN,
    end_at_loop: bool = False,
    trust_remote_code: bool = False,
) -> list[Sample]:
    """The same with vLLM, which batches by itself; every answer has the seed it has in `sample`.

    Its draws differ from those of `sample`: another generator. Not run on a GPU by this project's tests.

    Args:
        source: the base, as for `models.load_base`; vLLM loads it itself, and wants nearly all of the GPU.
        adapter: folder of a LoRA adapter, or None.
        trust_remote_code: whether code that comes with the model may run (`base_trust_remote_code`).

    Raises:
        ImportError: where vLLM is not installed; it wants an environment of its own.
    """
    try:
        from vllm import LLM, SamplingParams
        from vllm.lora.request import LoRARequest
    except ImportError:
        raise ImportError("candidate_engine: vllm is not installed; pip install vllm, or use transformers") from None

    asked = [(case, n) for case in cases for n in range(number)]
    # token ids: of a text vLLM would begin with a second BOS token
    ids = prompt_ids(tokenizer, [case for case, _ in asked], prompter)
    llm = LLM(
        model=source,
        enable_lora=adapter is not None,
        max_lora_rank=256,
        seed=seed,
        trust_remote_code=trust_remote_code,
        # it reserves memory for one text as long as it may be: for the model's whole context many GiB
        max_model_len=max(map(len, ids), default=0) + max_new_tokens,
    )
    settings = [
        SamplingParams(
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_new_tokens,
            seed=answer_seed(seed, c.id, n) % 2**31,
            stop_token_ids=[tokenizer.eos_token_id],
        )
        for c, n in asked
    ]
    lora = LoRARequest("policy", 1, str(adapter)) if adapter else None
    outputs = [
        request.outputs[0]
        for request in llm.generate([{"prompt_token_ids": i} for i in ids], settings, lora_request=lora)
    ]
    said = [
        Sample(case.id, n, out.text.strip(), out.finish_reason == "stop", tuple(out.token_ids))
        for (case, n), out in zip(asked, outputs, strict=True)
    ]
    return [_ended(s, tokenizer) for s in said] if end_at_loop else said
