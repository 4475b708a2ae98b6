"""A short measurement of this machine with the model of a study: what a token costs to read, to learn and to say."""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tcm_rlaif.models import headers, places
from tcm_rlaif.models.loading import compute_dtype
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model

WIDEST, NEW_TOKENS, REPEATS = 512, 16, 2
"""Tokens of a row at most, tokens said for each, and passes of which the faster counts: our choice, some seconds."""
AT_ONCE = {"cpu": 1024, "cuda": 16384}
"""Tokens learned together at most: a processor is as fast with few, a GPU is not."""


@dataclass(frozen=True)
class Rates:
    """What was measured.

    Args:
        parameters: of the model; trained: of them with an adapter.
        read, learned, said: tokens a second: forward alone, forward and backward, generated in a batch.
        memory_mib: of this process, or of the GPU where there is one, with the longest batch that is learned, about.
        twice: whether layers are computed twice to save memory (`economy.checkpointing`).
    """

    parameters: int
    trained: int
    read: float
    learned: float
    said: float
    memory_mib: float
    twice: bool
    device: str


def on_this_machine(P: Params) -> str | None:
    """What `load_base` can load without any download; None where the model is not here, or not all of it."""
    from tcm_rlaif.training import pretraining

    if P.base_model == "tiny":
        folder = pretraining.cached_folder(P)
        return str(folder) if folder.is_dir() else None
    if (ROOT / Path(P.base_model).expanduser()).exists():
        return P.base_model
    fetched = places.cached(P.base_model)  # its folder, not its name: of a folder no library looks for more on the hub
    return str(fetched) if fetched and not places.wrong_folder(fetched) and headers.all_weights(fetched) else None


def outline(P: Params) -> tuple[int, int] | None:
    """Parameters of a hub's model, and those that an adapter trains, by its configuration; None where that is not here.

    No code that comes with the model runs for it.
    """
    import torch
    from peft import get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    from tcm_rlaif.training.adapters import lora

    if P.base_model == "tiny" or not (fetched := places.cached(P.base_model)):
        return None
    try:
        config = AutoConfig.from_pretrained(fetched, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):  # shapes without numbers
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
            total = sum(p.numel() for p in model.parameters())
            model = get_peft_model(model, lora(P))
    except Exception:  # a configuration of others, read by code of others: what is wrong with it, loading tells
        return None
    return total, sum(p.numel() for p in model.parameters() if p.requires_grad)


def measure(model: Model, rows: Sequence[list[int]], P: Params, together: int) -> Rates:
    """Measure on rows of the study, as long as they are.

    Args:
        model: the base; it gets an adapter and is of no use afterwards.
        rows: token ids of prompts with answers.
        together: most rows that the study learns at once, which memory is told for.
    """
    import torch
    from peft import get_peft_model

    from tcm_rlaif.training import economy
    from tcm_rlaif.training.adapters import lora

    economy.inputs_once()
    longest = together * max(map(len, rows))
    twice = economy.checkpointing(model, longest, P)
    total = sum(p.numel() for p in model.parameters())
    model = get_peft_model(model, lora(P))
    length = min(WIDEST, max(map(len, rows)))
    number = max(1, min(P.sft_batch_size, AT_ONCE[model.device.type] // length))
    ids = torch.tensor([(row * length)[:length] for row in rows[:number]], device=model.device)
    cast = torch.autocast(model.device.type, torch.bfloat16, enabled=compute_dtype(P) == torch.bfloat16)

    def read() -> None:
        with torch.inference_mode(), cast:
            model(input_ids=ids, logits_to_keep=1)

    def learn() -> None:
        with cast:
            model(input_ids=ids, labels=ids).loss.backward()
        model.zero_grad()

    asked = ids[:, : length // 4 + 1].repeat(-(-8 // len(ids)), 1)

    def say(tokens: int) -> Callable[[], None]:
        def generate() -> None:
            with torch.inference_mode():
                model.generate(
                    input_ids=asked, attention_mask=torch.ones_like(asked), do_sample=False, pad_token_id=0,
                    min_new_tokens=tokens, max_new_tokens=tokens,
                )  # fmt: skip

        return generate

    model.eval()
    seconds = {"read": _fastest(read), "one": _fastest(say(1)), "all": _fastest(say(1 + NEW_TOKENS))}
    model.train()
    learned = ids.numel() / _fastest(learn)
    reading = min(seconds["one"], seconds["all"] / 2)  # beside other work one token may take longer than 17
    more = 0 if twice else economy.activations(model, longest) - economy.activations(model, ids.numel())
    return Rates(
        parameters=total,
        trained=sum(p.numel() for p in model.parameters() if p.requires_grad),
        read=ids.numel() / seconds["read"],
        learned=learned,
        said=asked.shape[0] * NEW_TOKENS / (seconds["all"] - reading),
        memory_mib=_peak() + max(0, more) / 2**20,
        twice=twice,
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} cores",
    )


def _fastest(work: Callable[[], None]) -> float:
    """Seconds of the fastest of some passes; on a GPU until it has finished."""
    import torch

    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


def _peak() -> int:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() >> 20
    unit = 1024 if sys.platform == "linux" else 1024**2  # ru_maxrss is in KiB on Linux, in bytes on macOS
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
