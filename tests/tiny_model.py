"""A tiny Qwen3 model of random weights with the study's own tokenizer, built once for all tests that need a model.

Its weights are larger than freshly initialised ones: a fresh model says nearly the same whatever it reads, so a test
on it would not see a wrong mask or a wrong position.
"""

import tempfile
from functools import cache
from pathlib import Path

from tcm.cases import Case
from tcm.invented import invent_cases
from tcm_rlaif.models import loading, prompts, tiny
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import adapters

PATTERNS = 12


def params(**changes) -> Params:
    """Parameters of the tiny model in float32; keyword arguments override them."""
    small = {"base_hidden": 32, "base_layers": 2, "base_vocabulary": 768, "base_patterns": PATTERNS}
    return Params(**{**small, "base_dtype": "float32", "data_seed": 0, **changes})


@cache
def _place() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="tiny-model-")  # removed when the process ends


@cache
def folder() -> Path:
    """The folder that the model and its tokenizer were saved to."""
    import torch

    torch.set_num_threads(1)  # so small a model gains nothing from more, and loses much where the cores are shared
    P = params()
    tokenizer = tiny.train_tokenizer(P)
    model = tiny.new_tiny(P, tokenizer)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(12)
    place = Path(_place().name) / "base"
    tiny.save_whole(model, tokenizer, place)
    return place


def base():
    """The model, freshly loaded, and its tokenizer."""
    return loading.load_base(str(folder()), params())


def with_adapter(scale: float = 0.02, **changes):
    """The model with a trainable adapter that changes what it says, as after SFT, and its tokenizer.

    Args:
        changes: parameters of the adapter, as of `params`.
    """
    from peft import get_peft_model

    model, tokenizer = base()
    model = get_peft_model(model, adapters.fresh(params(**changes)))
    perturb(model, scale)
    return model, tokenizer


def with_adapter_and_reference():
    """The model with a trainable adapter and a frozen copy of it, as preference training keeps them."""
    model, tokenizer = with_adapter()
    adapters.copy_adapter(model, "start")
    return model.eval(), tokenizer


def perturb(model, scale: float = 0.02, seed: int = 0) -> None:
    """Move the trained adapter of a model somewhere else."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".default." in name:
                weight.add_(scale * torch.randn(weight.shape, generator=generator))


@cache
def cases() -> tuple[Case, ...]:
    """Twelve invented cases, first and follow-up visits."""
    return tuple(invent_cases(12, 0.4, 0, PATTERNS))


def pairs(number: int) -> list[dict]:
    """Preference rows: the case's own answer is chosen, that of the next case rejected."""
    rows = []
    for case, other in zip(cases()[:number], (*cases()[1:], cases()[0]), strict=False):
        chosen, rejected = prompts.completion(case.answer), prompts.completion(other.answer)
        rows.append({"prompt": prompts.prompt(case), "chosen": chosen, "rejected": rejected})
    return rows


def messages(number: int) -> list:
    """Chosen answers, then rejected ones, with their prompts."""
    rows = pairs(number)
    return [(r["prompt"], r["chosen"]) for r in rows] + [(r["prompt"], r["rejected"]) for r in rows]


def weights(model, name: str = "default") -> dict:
    """A copy of the weights of one adapter, under names that do not tell which."""
    return {n.replace(f".{name}.", "."): p.detach().clone() for n, p in model.named_parameters() if f".{name}." in n}
