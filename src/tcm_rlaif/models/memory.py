"""Whether a model's weights fit into the memory that is free, told from its files before any is loaded; making room."""

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

from tcm_rlaif.study.types import Model

PACKED = 0.55
"""Bytes of a weight in 4 bits with its constants (QLoRA's 0.52, arXiv 2305.14314), embeddings left out: a low guess."""
GGUF_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
GGUF_STRING, GGUF_ARRAY = 8, 9
"""Bytes of the value types of a GGUF header by their number, and the two that say their own length."""


def lacking(name: str, gguf: Path | None, bytes_a_weight: float) -> str:
    """What is missing to load a model, in one phrase; empty where it fits or where nobody can tell.

    Args:
        name: folder or hub id; gguf: the file, where it is one.
        bytes_a_weight: as it is kept in memory; `PACKED` in 4 bits.
    """
    if (number := weights_of(name, gguf)) is None:
        return ""
    needed, (free, where) = number * bytes_a_weight, free_memory()
    if needed <= free:
        return ""
    return (
        f"its {number / 1e6:,.0f} million weights take {needed / 2**30:,.1f} GiB and {free / 2**30:,.1f} GiB are free "
        f"{where}; take a smaller model, free memory, or set base_quantization: 4bit (GPUs with CUDA alone)"
    )


def free_memory() -> tuple[int, str]:
    """Bytes that are free where models go, and where that is."""
    import psutil
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # what PyTorch keeps for later is free, too
        return torch.cuda.mem_get_info()[0], "on the GPU"
    return psutil.virtual_memory().available, "on this machine"


def weights_of(name: str, gguf: Path | None = None) -> int | None:
    """Number of weights in a model's files, read from their headers alone; None where they cannot be had."""
    try:
        if gguf:
            return _in_gguf(gguf)
        if Path(name).is_dir():
            return sum(_in_safetensors(path) for path in Path(name).glob("*.safetensors")) or None
        from huggingface_hub import get_safetensors_metadata

        return sum(get_safetensors_metadata(name).parameter_count.values())
    except Exception:  # no network, no such model, no such files: loading tells which
        return None


def _in_safetensors(path: Path) -> int:
    with path.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return sum(prod(tensor["shape"]) for key, tensor in header.items() if key != "__metadata__")


def _in_gguf(path: Path) -> int:
    """Read here and not by the gguf package, which spends many seconds on the vocabulary of a header.

    Source:
        The layout of GGUF version 3, ggml's documentation of the format.
    """
    with path.open("rb") as file:

        def number(code: str) -> int:
            return struct.unpack(f"<{code}", file.read(struct.calcsize(code)))[0]

        def skip(kind: int) -> None:
            if kind == GGUF_ARRAY:
                inner, length = number("I"), number("Q")
                if inner in GGUF_SIZES:
                    file.seek(GGUF_SIZES[inner] * length, 1)
                else:
                    for _ in range(length):
                        skip(inner)
            else:
                file.seek(number("Q") if kind == GGUF_STRING else GGUF_SIZES[kind], 1)

        file.seek(8)  # the magic word and the version
        tensors, keys = number("Q"), number("Q")
        for _ in range(keys):
            skip(GGUF_STRING)
            skip(number("I"))
        total = 0
        for _ in range(tensors):
            skip(GGUF_STRING)
            total += prod(number("Q") for _ in range(number("I")))
            file.seek(12, 1)  # its type and place
        return total


@contextmanager
def off_the_gpu(model: Model) -> Iterator[None]:
    """Within it a model leaves the GPU to others that train or sample (a packed one cannot be moved and stays)."""
    device = model.device
    moves = device.type == "cuda" and not getattr(model, "is_quantized", False)
    if moves:
        import torch

        model.to("cpu")
        torch.cuda.empty_cache()
    try:
        yield
    finally:
        if moves:
            model.to(device)
