"""The optimiser of the tiny base: Muon for the matrices inside, AdamW for embeddings and norms.

The base learns clearly more with it in the same time: 1,000 steps take as long as 1,400 of AdamW, and where 28 of 56
findings at fresh follow-ups called up the right rule 加减 before, 44 do. After SFT on 40 answers, herb F1 on fresh
first visits is 0.41 instead of 0.31 (one seed). PyTorch has a Muon; it orthogonalises in bfloat16, which processors
emulate, so that a step takes twice as long.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

MOMENTUM, NEWTON_SCHULZ, STEPS = 0.95, (3.4445, -4.7750, 2.0315), 5
BETAS, EPSILON = (0.9, 0.95), 1e-8
RMS = 0.2  # of an update a unit of the rate, as that of AdamW's


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are about 1 (0.7 to 1.2), by five steps of Newton and Schulz.

    Source:
        Jordan et al., Muon (2024), https://kellerjordan.github.io/posts/muon/: the quintic iteration and its numbers.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Muon(torch.optim.Optimizer):
    """Muon on matrices, AdamW on everything else, with one rate.

    Args:
        matrices: weights of linear layers, each with two dimensions.
        others: embeddings and norms.
        lr: peak rate; weight_decay: of the matrices, decoupled from the gradient.

    Source:
        Jordan et al. (2024) with Nesterov momentum; updates scaled by 0.2 sqrt(max(rows, columns)), so that the rate of
        AdamW fits both (arXiv 2502.16982, eq. 4).
    """

    def __init__(self, matrices: Iterable[Tensor], others: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        groups = [
            {"params": list(matrices), "weight_decay": weight_decay, "update": "muon"},
            {"params": list(others), "weight_decay": 0.0, "update": "adam"},
        ]
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> float | None:
        """One step on all parameters that have a gradient."""
        loss = closure() if closure else None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update = self._muon(parameter) if group["update"] == "muon" else self._adam(parameter)
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=group["lr"])
        return loss

    def _muon(self, parameter: Tensor) -> Tensor:
        gradient, state = parameter.grad, self.state[parameter]
        mean = state.setdefault("mean", torch.zeros_like(gradient))
        mean.lerp_(gradient, 1 - MOMENTUM)
        return orthogonal(gradient.lerp(mean, MOMENTUM)) * (RMS * max(gradient.shape) ** 0.5)

    def _adam(self, parameter: Tensor) -> Tensor:
        gradient, state = parameter.grad, self.state[parameter]
        mean = state.setdefault("mean", torch.zeros_like(gradient))
        square = state.setdefault("square", torch.zeros_like(gradient))
        state["step"] = state.get("step", 0) + 1
        mean.lerp_(gradient, 1 - BETAS[0])
        square.lerp_(gradient.square(), 1 - BETAS[1])
        unbiased = [value / (1 - beta ** state["step"]) for value, beta in zip((mean, square), BETAS, strict=True)]
        return unbiased[0] / (unbiased[1].sqrt() + EPSILON)


def muon(model: torch.nn.Module, lr: float, weight_decay: float) -> Muon:
    """The optimiser for a language model: every matrix but the embeddings is Muon's."""
    embedding = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    parameters = list(dict.fromkeys(model.parameters()))
    matrices = [p for p in parameters if p.ndim == 2 and id(p) not in embedding]
    inside = set(map(id, matrices))
    return Muon(matrices, [p for p in parameters if id(p) not in inside], lr, weight_decay)
