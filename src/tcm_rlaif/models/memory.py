"""Whether a model's weights fit into the memory that is free, told from its files before any is loaded; making room."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tcm_rlaif.models.headers import weights_of
from tcm_rlaif.study.types import Model

PACKED = 0.55
"""Bytes of a weight in 4 bits with its constants (QLoRA's 0.52, arXiv 2305.14314), embeddings left out: a low guess."""
GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where Linux shows its control groups, and which of them this process is in."""


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
    free, allowed = psutil.virtual_memory().available, min(_allowed(), default=None)
    if allowed is not None and allowed < free:
        return allowed, "within the limit that a container or scheduler sets here"
    return free, "on this machine"


def _allowed() -> Iterator[int]:
    """Bytes that each control group around this process has left; without limits, or on other systems, none.

    What a group has cached of files does not count: it is given up when memory is asked for.

    Source:
        The kernel's documentation of `memory.max` and `memory.stat` in version 2, of `memory.limit_in_bytes` in 1.
    """
    for line in OWN_GROUPS.read_text("utf-8").splitlines() if OWN_GROUPS.exists() else ():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, limit, taken = GROUPS, "memory.max", "anon"
        elif "memory" in controllers.split(","):
            top, limit, taken = GROUPS / "memory", "memory.limit_in_bytes", "total_rss"
        else:
            continue
        place = top / path.strip("/")
        for folder in (place, *place.parents):
            try:
                stat = dict(row.split() for row in (folder / "memory.stat").read_text("utf-8").splitlines())
                yield max(0, int((folder / limit).read_text("utf-8")) - int(stat[taken]))
            except (OSError, ValueError, KeyError):  # no limit (`max`), no such group as seen from a container
                continue


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
