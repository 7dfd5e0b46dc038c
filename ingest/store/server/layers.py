"""Layers: so that the later commit wins on a server that keeps whichever it likes of two values of one time.

Every row of a series goes to the lowest layer whose newest time is before its own; the layer is part of the row's name
at the server. Within a layer times only grow, so no two rows meet there; and a row written again finds every layer up
to that of the earlier one no older than itself, so it comes to lie above it. Live rows are in layer 0, a backlog in 1.
"""

from itertools import count
from typing import Final

import msgspec
import numpy as np

from telemetry.batch import I64

_LEAST_MS: Final = 0
_TIME_BITS: Final = 43
_Layer = tuple[I64, I64]
"""Series in order, and the newest time of each in milliseconds; (k,) and (k,)."""


class Layers:
    """The newest time of every series in every layer. Never changed: ``place`` gives the one that follows."""

    __slots__ = ("_layers",)

    def __init__(self, layers: tuple[_Layer, ...] = ()) -> None:
        self._layers = layers

    def __len__(self) -> int:
        return len(self._layers)

    def place(self, series: I64, time_ms: I64) -> tuple[I64, "Layers"]:
        """The layer of each row (n,), in order of commit with times of 0 to 2**43 ms, and the layers after it."""
        layer, layers = np.zeros(len(series), np.int64), list(self._layers)
        left = np.argsort(series, kind="stable")
        for depth in count():
            if not len(left):
                return layer, Layers(tuple(layers))
            known = layers[depth] if depth < len(layers) else _nothing()
            fits, grown = _fit(known, series[left], time_ms[left])
            layers[depth : depth + 1] = [grown]
            layer[left[fits]] = depth
            left = left[~fits]
        raise AssertionError  # count() does not end

    def newest(self) -> _Layer:
        """Every series, and its newest time: that of layer 0, which is never behind another."""
        return self._layers[0] if self._layers else _nothing()

    def above(self, depth: int) -> I64:
        """The series that have a layer ``depth``, in order."""
        return self._layers[depth][0] if depth < len(self._layers) else np.zeros(0, np.int64)

    def pack(self) -> bytes:
        """As bytes for the journal."""
        return msgspec.msgpack.encode([(ids.tobytes(), fronts.tobytes()) for ids, fronts in self._layers])

    @staticmethod
    def unpack(packed: bytes) -> "Layers":
        """What ``pack`` gave."""
        found = msgspec.msgpack.decode(packed, type=list[tuple[bytes, bytes]])
        return Layers(tuple((np.frombuffer(ids, np.int64), np.frombuffer(fronts, np.int64)) for ids, fronts in found))

    @staticmethod
    def of_fronts(series: I64, layer: I64, newest_ms: I64) -> "Layers":
        """The layers of a server that tells the newest time of each series and layer; all of shape (k,)."""
        layers = []
        for depth in range(int(layer.max()) + 1 if len(layer) else 0):
            some = layer >= depth  # a layer that retention has emptied is as new as those above it
            layers.append(_fit(_nothing(), *_ordered(series[some], newest_ms[some]))[1])
        return Layers(tuple(layers))


def _nothing() -> _Layer:
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def _ordered(series: I64, time_ms: I64) -> _Layer:
    order = np.argsort(series, kind="stable")
    return series[order], time_ms[order]


def _fit(layer: _Layer, series: I64, time_ms: I64) -> tuple[np.ndarray, _Layer]:
    """Which rows, ordered by series and then by commit, are newer than all before them; and the layer with those."""
    ids, fronts = layer
    starts = np.flatnonzero(np.diff(series, prepend=-1) != 0)
    found = series[starts]
    at = np.searchsorted(ids, found)
    known = at < len(ids)
    known[known] = ids[at[known]] == found[known]
    front = np.full(len(found), _LEAST_MS - 1, np.int64)
    front[known] = fronts[at[known]]
    lane = np.repeat(np.arange(len(found), dtype=np.int64) << _TIME_BITS, np.diff([*starts, len(series)]))
    before = np.empty(len(series), np.int64)
    before[1:] = np.maximum.accumulate(lane + time_ms)[:-1] - lane[1:]
    before[starts] = _LEAST_MS - 1
    fits = time_ms > np.maximum(before, np.repeat(front, np.diff([*starts, len(series)])))
    newest = np.maximum(front, np.maximum.reduceat(time_ms, starts))
    return fits, _merged(layer, found, newest, at, known)


def _merged(layer: _Layer, found: I64, newest: I64, at: I64, known: np.ndarray) -> _Layer:
    ids, fronts = layer
    fronts = fronts.copy()
    fronts[at[known]] = newest[known]
    fresh = ~known
    return np.insert(ids, at[fresh], found[fresh]), np.insert(fronts, at[fresh], newest[fresh])
