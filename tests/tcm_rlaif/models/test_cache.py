"""The growing cache holds what transformers' own holds, token by token, also after rows were chosen."""

import torch
from transformers import Qwen3Config
from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer

from tcm_rlaif.models.cache import ROOM, GrowingLayer, growing_cache

CONFIG = Qwen3Config(num_hidden_layers=2, num_attention_heads=2, hidden_size=8)


def test_it_holds_the_same_keys_and_values_however_rows_are_chosen_between() -> None:
    dice = torch.Generator().manual_seed(0)
    ours, theirs = growing_cache(CONFIG), DynamicCache(config=CONFIG)
    rows = 3
    for step in range(2 * ROOM):
        if step in (1, 40, 41):
            chosen = {1: [0, 0, 2, 1, 1], 40: [4, 3, 2, 1, 0], 41: [1, 3]}[step]
            rows = len(chosen)
            ours.reorder_cache(torch.tensor(chosen))
            theirs.reorder_cache(torch.tensor(chosen))
        for layer in range(2):
            new = [torch.rand(rows, 2, 1 if step else 7, 4, generator=dice) for _ in range(2)]
            for a, b in zip(ours.update(*new, layer), theirs.update(*new, layer), strict=True):
                assert torch.equal(a, b)
        assert ours.get_seq_length() == theirs.get_seq_length() == 7 + step


def test_rows_that_left_are_freed_at_once() -> None:
    cache = growing_cache(CONFIG)
    cache.update(torch.rand(4, 2, 9, 4), torch.rand(4, 2, 9, 4), 0)
    cache.reorder_cache(torch.tensor([0, 2]))
    assert not cache.layers[0].stores and cache.layers[0].keys.shape[0] == 2


def test_layers_of_another_kind_stay_theirs() -> None:
    windows = Qwen3Config(num_hidden_layers=2, layer_types=["full_attention", "sliding_attention"], sliding_window=4,
                          use_sliding_window=True)  # fmt: skip
    kinds = [type(layer) for layer in growing_cache(windows).layers]
    assert kinds == [GrowingLayer, DynamicSlidingWindowLayer]
