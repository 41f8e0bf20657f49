"""A training by several processes, as torchrun starts them: each learns from its part of every batch.

Gradients are averaged after every batch, so that all keep the same weights; statistics of batches are those
of each one's part. The first process alone measures and writes. By gloo on processors, by nccl on GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")
PATIENCE = timedelta(hours=12)  # for the first one, which audits and trains the finder while others wait


@dataclass(frozen=True)
class Processes:
    """`count` processes, of which this is the one of `rank`, from 0."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that measures and writes."""
        return self.rank == 0

    def share(self, of: Sequence[T], *, batch: int) -> list[T]:
        """Its part of each whole batch, where there are several: all get as much."""
        if self.count == 1:
            return list(of)
        whole = len(of) // batch * batch
        return [of[at] for at in range(whole) if at % batch % self.count == self.rank]

    def wait(self) -> None:
        """Until all have come so far."""
        if self.count > 1:
            distributed.barrier()

    def tell(self, value: T) -> T:
        """What the first one has."""
        if self.count == 1:
            return value
        told: list[T] = [value]
        distributed.broadcast_object_list(told)
        return told[0]

    def average(self, values: Sequence[float]) -> list[float]:
        """Of numbers that each has, their means over all."""
        return values_of(self._average(torch.tensor(values, dtype=torch.float64)))

    def average_gradients(self, weights: Iterable[Tensor]) -> None:
        """Give every process the mean of all their gradients."""
        if self.count == 1:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        # Laid out in one piece: of channels-last gradients a view cannot be had.
        mean = self._average(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(mean, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def _average(self, values: Tensor) -> Tensor:
        if self.count > 1:
            distributed.all_reduce(values)
        return values / self.count


ALONE = Processes()


def values_of(values: Tensor) -> list[float]:
    """A tensor (n,) as numbers."""
    return [float(value) for value in values]


@contextmanager
def join_processes() -> Iterator[Processes]:
    """The processes that torchrun started; one alone where it did not."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
