"""The order in which SFT meets its rows, where it is not random: a sampler that is asked anew for each epoch."""

import math
from collections.abc import Callable, Iterable, Iterator

from tcm_rlaif.study.types import Trainer


class Order:
    """A sampler for a trainer's data loader, with as many draws an epoch as there are rows.

    Args:
        size: rows of the training data.
        draw: epoch (from 0) -> that many row numbers. Asked when the epoch begins, so that it may look at the model
            then; what it returns must follow from the epoch and the model alone, since a resumed run asks again.
    """

    def __init__(self, size: int, draw: Callable[[int], Iterable[int]]) -> None:
        self.size, self.draw, self.epoch = size, draw, 0

    def set_epoch(self, epoch: int) -> None:
        """Told by the trainer before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        yield from self.draw(self.epoch)


def install(trainer: Trainer, draw: Callable[[int], Iterable[int]]) -> None:
    """Let a trainer meet its rows in an order of ours."""
    order = Order(len(trainer.train_dataset), draw)
    trainer._get_train_sampler = lambda train_dataset=None: order


def steps(trainer: Trainer) -> tuple[int, int]:
    """Optimiser steps of an epoch, and of the whole training."""
    args = trainer.args
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps
    epoch = math.ceil(len(trainer.train_dataset) / batch)
    return epoch, args.max_steps if args.max_steps > 0 else math.ceil(epoch * args.num_train_epochs)
