"""A prompt is computed once for both answers of a preference pair, where a trainer asks for it twice.

TRL's DPO batch holds every prompt twice, before the chosen and before the rejected answer. What a causal model makes of
the prompt is the same in both, so both rows of a pair become one: prompt, chosen answer, rejected answer, where neither
answer sees the other. What comes out is laid back into TRL's own batch: its loss and its metrics know nothing of it.
"""

import logging
from functools import wraps
from math import ceil
from typing import Any, NamedTuple

import torch

from tcm_rlaif.models.logps import PAD_TO
from tcm_rlaif.study.types import Model

LEAST = 0.9
"""Share of the tokens of a batch from which on sharing is not worth its mask; our choice."""
TOLERANCE = 0.1
"""Largest difference of a token's hidden states, relative to their length, that rounding explains.

Source:
    Our choice, between what was measured on a model of 0.5 billion parameters in bfloat16: 0.02, as padding alone makes
    it, and 0.3 where answers see each other or stand at the wrong places.
"""


def share(model: Model) -> None:
    """Let a model compute what both rows of a pair begin with once; as it was, where its layers do not allow it.

    Args:
        model: a causal LM or one with adapters; rows i and i + half of a batch are a pair.

    Source:
        arXiv 2410.20305, there with a kernel of its own; here with a mask that PyTorch's attention takes.
    """
    causal = getattr(model, "get_base_model", lambda: model)()
    backbone = causal.base_model
    if "forward" in vars(backbone):
        return  # shares already
    plain = backbone.forward
    window = _window(causal.config.get_text_config())

    @wraps(plain)
    def forward(*args: Any, **given: Any):
        ids, mask = given.get("input_ids"), given.get("attention_mask")
        asked = {name for name, value in given.items() if value is not None} - {"input_ids", "attention_mask"}
        if args or asked != {"use_cache"} or given["use_cache"] or ids is None or mask is None:
            return plain(*args, **given)  # text is written, or something of every row is asked for
        pairs = None if len(ids) % 2 or mask.dim() != 2 or ids.shape[1] > window else _together(ids, mask)
        if pairs is None:
            return plain(**given)
        found = plain(input_ids=pairs.ids, attention_mask=pairs.sees, position_ids=pairs.positions, use_cache=False)
        states = found.last_hidden_state
        rows = [torch.gather(states, 1, at[..., None].expand(-1, -1, states.shape[-1])) for at in pairs.places]
        found.last_hidden_state = torch.cat(rows)
        return found

    if reason := _unlike(backbone, plain, forward):
        logging.getLogger(__name__).warning("prompts are computed twice: %s", reason)
    else:
        backbone.forward = forward


class _Pairs(NamedTuple):
    """Pairs as rows: ids and positions, shape (pairs, width); `sees`, shape (pairs, 1, width, width): which place sees
    which; `places`: where each token of the first and of the second rows of the batch went, shape (pairs, length)."""

    ids: torch.Tensor
    positions: torch.Tensor
    sees: torch.Tensor
    places: tuple[torch.Tensor, torch.Tensor]


def _together(ids: torch.Tensor, mask: torch.Tensor) -> _Pairs | None:
    """The pairs of a batch; None where that saves nothing, or where padding stands before a text.

    Args:
        ids: shape (2 * pairs, length). mask: 1 for a token, 0 for padding; same shape.
    """
    if not bool(mask[:, 0].all()) or bool((mask.diff(dim=1) > 0).any()):
        return None
    (first, second), (in_first, in_second) = ids.chunk(2), mask.bool().chunk(2)
    prefix = ((first == second) & in_first & in_second).long().cumprod(1).sum(1, keepdim=True)
    ends = in_first.sum(1, keepdim=True)
    own = ends - prefix  # tokens of the first answer alone
    width = PAD_TO * ceil(int((own + in_second.sum(1, keepdim=True)).max()) / PAD_TO)  # few shapes, see there
    if width > LEAST * 2 * ids.shape[1]:
        return None
    place, at = (torch.arange(n, device=ids.device)[None] for n in (width, ids.shape[1]))
    before, of_first = place < prefix, place < ends
    of_second = ~of_first & (place < own + in_second.sum(1, keepdim=True))
    positions = torch.where(of_first, place, (place - own) * of_second)
    joined = torch.where(of_first, first.gather(1, positions * of_first), second.gather(1, positions * of_second))
    part = torch.where(before, 0, torch.where(of_first, 1, torch.where(of_second, 2, 3)))  # 3: padding sees itself
    seen = (part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None])
    causal = place[:, None, :] <= place[:, :, None]
    went = (at * in_first, torch.where(at < prefix, at, at + own) * in_second)
    return _Pairs(joined, positions, (seen & causal)[:, None], went)


def _window(config: Any) -> float:
    """The longest row in which every layer sees every token before."""
    local = "sliding_attention" in (getattr(config, "layer_types", None) or ("sliding_attention",))
    return (getattr(config, "sliding_window", None) or float("inf")) if local else float("inf")


def _unlike(backbone: torch.nn.Module, plain, sharing) -> str:
    """Why a model may not share, by what it makes of one small pair; "" where both ways give the same."""
    kind = backbone.config._attn_implementation
    if kind != "sdpa":
        return f"attention by {kind} takes no mask of pairs"
    device = backbone.get_input_embeddings().weight.device
    ids = torch.arange(2, PAD_TO, device=device).repeat(2, 1) % backbone.config.get_text_config().vocab_size
    ids[1, -2:] = ids[0, :2]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}
    training = backbone.training
    backbone.eval()  # no dropout between the two
    try:
        with torch.no_grad():
            one, other = (way(**given).last_hidden_state.float() for way in (plain, sharing))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:  # of a model that takes other masks or positions
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    finally:
        backbone.train(training)
    apart = float(((one - other).norm(dim=-1) / one.norm(dim=-1)).max())
    return "" if apart < TOLERANCE else f"hidden states differ by {apart:.0%}"
