"""Reading ahead changes neither what comes nor its order, nor what is raised."""

import pytest

from ingest.store.ahead import ahead


def counted(n, seen):
    for number in range(n):
        seen.append(number)
        yield number
    raise LookupError("the disk is gone")


def take(seen, found):
    for number in ahead(counted(50, seen)):
        found.append(number)
        assert len(seen) - len(found) <= 16


def test_everything_comes_in_order_and_errors_with_it():
    seen, found = [], []
    with pytest.raises(LookupError, match="the disk is gone"):
        take(seen, found)
    assert found == list(range(50))


def test_nothing_is_nothing_and_a_caller_may_stop():
    assert list(ahead(iter([]))) == []
    assert next(ahead(iter([1, 2, 3]))) == 1
