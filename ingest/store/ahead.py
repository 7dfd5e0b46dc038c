"""Reading ahead: a thread fetches what comes next while the caller is busy with what came."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

_DEPTH: Final = 16
T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order, a few of them fetched beforehand; what fetching raises is raised here."""
    with ThreadPoolExecutor(1, "ahead") as reader:
        coming = deque(reader.submit(next, items, None) for _ in range(_DEPTH))
        while (item := coming.popleft().result()) is not None:
            coming.append(reader.submit(next, items, None))
            yield item
