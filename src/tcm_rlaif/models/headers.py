"""What the headers of a model's files say before any weight is read: how many weights there are, and whether all."""

import json
import struct
from math import prod
from pathlib import Path

GGUF_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
GGUF_STRING, GGUF_ARRAY = 8, 9
"""Bytes of the value types of a GGUF header by their number, and the two that say their own length."""
GGUF_ALIGNMENT = 32  # of the weights behind the header, where no key names another
LONGEST_KEY = 2**16 - 1  # bytes; what says that it is longer is no key


def weights_of(name: str, gguf: Path | None = None) -> int | None:
    """Number of weights in a model's files; None where they cannot be had.

    Args:
        name: folder or hub id (which is asked over the network).
        gguf: the file, where it is one.
    """
    try:
        if gguf:
            return _in_gguf(gguf)[0]
        if Path(name).is_dir():
            return sum(map(_in_safetensors, weight_files(Path(name))))
        from huggingface_hub import get_safetensors_metadata

        return sum(get_safetensors_metadata(name).parameter_count.values())
    except Exception:  # no network, no such model, no such files: loading tells which
        return None


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers reads a model's weights from; those of other programs may lie beside them."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file() or not index.is_file():
        return [whole]
    return [folder / name for name in sorted({*json.loads(index.read_text("utf-8"))["weight_map"].values()})]


def all_weights(folder: Path) -> bool:
    """Whether all files of a model's weights lie in a folder."""
    try:
        return all(path.is_file() for path in weight_files(folder))
    except (ValueError, LookupError, TypeError, AttributeError):  # an index that is none
        return False


def gguf_damage(path: Path) -> str:
    """Why a GGUF file is not whole, in one phrase; empty where it is."""
    try:
        _, needed = _in_gguf(path)
    except Exception:  # any number may stand in a damaged header
        return "its header cannot be read to the end"
    size = path.stat().st_size
    return "" if size >= needed else f"{size:,} of its {needed:,} bytes are there"


def _in_safetensors(path: Path) -> int:
    with path.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return sum(prod(tensor["shape"]) for key, tensor in header.items() if key != "__metadata__")


def _in_gguf(path: Path) -> tuple[int, int]:
    """Number of weights, and the bytes that the file has when it is whole.

    Read here and not by the gguf package, which spends many seconds on the vocabulary of a header.

    Source:
        The layout of GGUF version 3, ggml's documentation of the format.
    """
    from gguf import GGML_QUANT_SIZES

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
        alignment = GGUF_ALIGNMENT
        for _ in range(keys):
            key, kind = file.read(min(number("Q"), LONGEST_KEY)), number("I")
            if key == b"general.alignment":
                alignment = number("I")
            else:
                skip(kind)
        total = end = 0
        for _ in range(tensors):
            skip(GGUF_STRING)
            weights = prod(number("Q") for _ in range(number("I")))
            kind, place = number("I"), number("Q")
            block, size = GGML_QUANT_SIZES.get(kind, (1, 0))  # an unknown type: loading says so
            total, end = total + weights, max(end, place + weights // block * size)
        return total, file.tell() + (-file.tell() % alignment + end if tensors else 0)
