"""Bad inputs out of good ones: flipped, cut, repeated, spliced, and plain noise."""

from collections.abc import Iterator, Sequence

import numpy as np

_MOST = 2048
_NASTY = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\r\n",
    b"68h",
    b"\x68",
    b"\x16",
    b"##",
    b"&&",
    b"\x7e\x7e",
    b"@@",
    b"9" * 40,
)


def inputs(seeds: Sequence[bytes], rng: np.random.Generator, n: int) -> Iterator[bytes]:
    """``n`` inputs; one in eight is noise, the others are seeds changed in one to four places."""
    for _ in range(n):
        if rng.random() < 1 / 8:
            yield rng.bytes(int(rng.integers(0, 128)))
            continue
        data = seeds[int(rng.integers(len(seeds)))]
        for _ in range(int(rng.integers(1, 5))):
            data = _changed(data, seeds, rng)
        yield data[:_MOST]


def _changed(data: bytes, seeds: Sequence[bytes], rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data) + 1))
    end = min(len(data), at + int(rng.integers(1, 9)))
    match int(rng.integers(7)):
        case 0 if at < len(data):
            return data[:at] + bytes((data[at] ^ 1 << int(rng.integers(8)),)) + data[at + 1 :]
        case 1 if at < len(data):
            return data[:at] + rng.bytes(1) + data[at + 1 :]
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:end] + data[at:end] + data[end:]
        case 4:
            return data[:at] + _NASTY[int(rng.integers(len(_NASTY)))] + data[at:]
        case 5:
            other = seeds[int(rng.integers(len(seeds)))]
            return data[:at] + other[int(rng.integers(len(other) + 1)) :]
        case _:
            return data[:at] + rng.bytes(int(rng.integers(1, 9))) + data[end:]
