"""Cases: a few of all combinations, in which every two values of two factors come together."""

from __future__ import annotations

from itertools import combinations, product
from typing import NamedTuple

from s3 import WAYS

__all__ = ["Case", "cases_of", "pairs_of"]

KINDS = ("array", "group", "dataset")
TEMPS = ("temp on S3", "temp on disk")
ENGINES = ("python", "cluster", "beam")


class Case(NamedTuple):
    """What is rechunked, whereto and how."""

    way: str
    server: str
    kind: str
    temp: str
    engine: str

    def __str__(self) -> str:
        return "-".join(self).replace(" ", "-")


Pair = tuple[tuple[int, str], tuple[int, str]]


def cases_of(servers: tuple[str, ...]) -> list[Case]:
    """Return cases for some servers until each pair of values is in one of them.

    Parameters
    ----------
    servers
        Names of servers.
    """
    # Of cases that cover as many pairs, the fastest ones are taken.
    every = [Case(*some) for some in product(WAYS[::-1], servers[::-1], KINDS, TEMPS, ENGINES)]
    missing = set().union(*map(pairs_of, every))
    cases: list[Case] = []
    while missing:
        cases.append(max(every, key=lambda case: len(pairs_of(case) & missing)))
        missing -= pairs_of(cases[-1])
    return cases


def pairs_of(case: Case) -> set[Pair]:
    """Return all pairs of values that a case has, with their positions."""
    first_second: set[Pair] = set(combinations(enumerate(case), 2))
    return first_second
