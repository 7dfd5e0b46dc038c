"""Ranges: which batch numbers are committed, as few inclusive ranges as possible."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of whole numbers held as sorted, disjoint, non-adjacent inclusive ranges.

    Batches mostly arrive in order, so the common case extends the last range and costs the same at any size.
    """

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(ranges):
            self.add(first, last)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        return len(self._firsts)

    def add(self, first: int, last: int) -> None:
        """Add every number from ``first`` to ``last``; raises ValueError for an empty range."""
        if last < first:
            raise ValueError(f"range {first} to {last}, expected the first not to exceed the last")
        start = bisect_right(self._firsts, first)
        if start and self._lasts[start - 1] >= first - 1:
            start -= 1
        stop = bisect_right(self._firsts, last + 1)
        if start < stop:
            first, last = min(first, self._firsts[start]), max(last, self._lasts[stop - 1])
        self._firsts[start:stop] = [first]
        self._lasts[start:stop] = [last]


def merged(numbers: Iterable[int]) -> Ranges:
    """The fewest ranges that hold exactly these numbers."""
    return Ranges((number, number) for number in numbers)
