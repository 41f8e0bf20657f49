"""Mutations, one after the other; which there are for files of slices."""

from __future__ import annotations

import random
from collections.abc import Sequence

from byte_mutations import Mutation
from structures import ARCHIVES, COMPRESSED, PICTURES
from text_mutations import TEXT

FILES: tuple[Mutation, ...] = tuple(dict.fromkeys((*COMPRESSED, *PICTURES, *ARCHIVES)))
HEADERS: tuple[Mutation, ...] = (*FILES, *TEXT)  # of volumes, some of which begin with text


def mutate(data: bytes, draw: random.Random, mutations: Sequence[Mutation] = FILES) -> bytes:
    """One to four mutations, one after the other."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        data = draw.choice(mutations)(data, draw)
    return data
