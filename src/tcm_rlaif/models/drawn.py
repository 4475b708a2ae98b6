"""Answers that were drawn are written down batch by batch, so that a killed run goes on with the batch it was in.

On a processor the candidates of a real model take half an hour. One JSON object a line holds one batch under a name
that tells what it depends on; a batch whose line was torn by the kill is drawn again. The file goes when its stage is
closed.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tcm_rlaif.study.types import Model


def policy_of(model: Model, adapter: str = "default") -> str:
    """A hash of what a model is: the name of its base, and the weights of its adapter where it has one of that name.

    The adapter's own weights, and not where they came from: in preference training they change under one name.
    """
    import torch
    from peft import get_peft_model_state_dict

    digest = hashlib.sha256(str(model.config._name_or_path).encode())
    if adapter in getattr(model, "peft_config", ()):
        for name, weight in sorted(get_peft_model_state_dict(model, adapter_name=adapter).items()):
            digest.update(name.encode())
            digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class Drawn:
    """Batches of answers in one file.

    Args:
        path: JSON lines, named with `outputs.UNFINISHED`; made with the first batch.
        depends_on: whatever else changes what is drawn (the policy, the settings), for JSON.
    """

    def __init__(self, path: Path, depends_on: Any) -> None:
        self.path, self.depends_on = path, depends_on
        self._batches: dict[str, list[dict[str, Any]]] = {}
        for line in path.read_bytes().split(b"\n") if path.exists() else ():
            try:
                row = json.loads(line)
                self._batches[row["batch"]] = row["answers"]
            except (ValueError, KeyError, TypeError):
                continue  # empty, or torn by a kill

    def get(self, batch: Sequence[Any]) -> list[dict[str, Any]] | None:
        """The answers to a batch, in its order; None where it has to be drawn."""
        return self._batches.get(self._name(batch))

    def add(self, batch: Sequence[Any], answers: Sequence[dict[str, Any]]) -> None:
        """Write the answers to a batch down, to the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"batch": self._name(batch), "answers": answers}, ensure_ascii=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")  # a new line first: what a kill tore stays a line of its own
            file.flush()
            os.fsync(file.fileno())

    def _name(self, batch: Sequence[Any]) -> str:
        return hashlib.sha256(json.dumps([self.depends_on, batch], sort_keys=True).encode()).hexdigest()
