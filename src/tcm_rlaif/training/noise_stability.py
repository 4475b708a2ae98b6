"""`sft_noise_stability`: what noise at a lower layer changes in the layers above is a penalty beside the loss.

Source:
    LNSR, arXiv 2107.04835: R = sum over the layers l above b of lambda_l ||f_l(x_b + e) - f_l(x_b)||^2, e Gaussian. The
    noise of 5 % of the state's norm is that of its figure 1. What we changed: the change is taken relative to the norm
    of the undisturbed state and averaged over layers and tokens, so that one weight fits models of any size, and all
    layers above weigh the same. R is then near 0.05^2 = 0.0025, and a weight of 1 is next to none: on the tiny model
    after SFT the gradient of R is about a hundredth of the loss's. It costs a second forward pass a step, no further
    step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tcm.cases import Case
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Module, SFTTrainer, Tensor

NOISE = 0.05
"""Expected norm of the noise, as a share of that of the state."""


def penalty(clean: Sequence[Tensor], noisy: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Mean over layers and tokens of ||noisy - clean||^2 / ||clean||^2.

    Args:
        clean: states of the layers above the noise, each of shape (batch, tokens, hidden); learned tokens may stand
            before those of the mask, and are left out.
        noisy: the same with noise.
        mask: 1 for tokens, 0 for padding, shape (batch, tokens).
    """
    total = 0.0
    for plain, other in zip(clean, noisy, strict=True):
        plain, other = plain[:, -mask.shape[1] :].float(), other[:, -mask.shape[1] :].float()
        change = (other - plain).square().sum(-1) / plain.detach().square().sum(-1).clamp(min=1e-12)
        total = total + (change * mask).sum() / mask.sum()
    return total / len(clean)


def layers_of(model: Module) -> Sequence[Module]:
    """The decoder's layers, from the lowest up."""
    import torch

    number = model.config.get_text_config().num_hidden_layers
    return next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == number)


@contextmanager
def watched(layers: Sequence[Module], noise_after: "Module | None" = None) -> Iterator[list[Tensor]]:
    """Within it the outputs of some layers are kept, in order, and noise is added to that of another one."""
    states: list[Tensor] = []
    handles = [layer.register_forward_hook(lambda _m, _i, out: states.append(_state(out))) for layer in layers]
    if noise_after is not None:
        handles.append(noise_after.register_forward_hook(lambda _m, _i, out: _noised(out)))
    try:
        yield states
    finally:
        for handle in handles:
            handle.remove()


def _state(output):
    return output[0] if isinstance(output, tuple) else output


def _noised(output):
    import torch

    state = _state(output)
    with torch.no_grad():
        each = state.norm(dim=-1, keepdim=True) * NOISE / state.shape[-1] ** 0.5
        noise = torch.randn_like(state) * each
    return (state + noise, *output[1:]) if isinstance(output, tuple) else state + noise


def hook(trainer: SFTTrainer, cases: Sequence[Case], P: Params, seed: int) -> None:
    """Add the penalty to the trainer's loss, where the parameters ask for it.

    Raises:
        ValueError: where no layer lies above the noise.
    """
    if not P.sft_noise_stability:
        return
    layers, plain = layers_of(trainer.model), trainer.compute_loss
    if P.sft_noise_layer >= len(layers):
        raise ValueError(f"sft_noise_layer: {P.sft_noise_layer}: the model has {len(layers)} layers; name a lower one")
    above, noisy_layer = layers[P.sft_noise_layer :], layers[P.sft_noise_layer - 1]

    def compute_loss(model, inputs, return_outputs=False, num_items_in_batch=None):
        if not model.training:
            return plain(model, inputs, return_outputs, num_items_in_batch)
        with watched(above) as clean:
            loss = plain(model, inputs, False, num_items_in_batch)
        with watched(above, noisy_layer) as noisy:
            asked = {name: inputs[name] for name in ("input_ids", "attention_mask")}
            model(**asked, use_cache=False, logits_to_keep=1)
        # as the trainer's own loss: a mean over the passes that make one step
        passes = 1 if num_items_in_batch is None else trainer.current_gradient_accumulation_steps
        return loss + P.sft_noise_stability * penalty(clean, noisy, inputs["attention_mask"]) / passes

    trainer.compute_loss = compute_loss
