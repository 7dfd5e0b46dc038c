"""The wire format: msgpack messages; ``data`` holds a batch as little-endian columns, compressed when that pays.

Layout of ``data``: ``[1, epoch, seq, lane, answered_ns, rows, codec, columns]`` with the columns one after another
(series i8, time_ns i8, value f8, quality u1, cause u2: 27 bytes a row). Everything that arrives is hostile until it
has been decoded: all decoders raise ValueError, and never take more memory than the largest legal message.
"""

import zlib
from enum import IntEnum, StrEnum
from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from telemetry.batch import MAX_ROWS, Batch, check
from telemetry.codes import Codes
from telemetry.deployment import Deployment
from telemetry.faults import BadMessageError, Fault
from telemetry.health import ClockHealth, LineUse
from telemetry.series import Series, Station

VERSION: Final = 1
MAX_PAYLOAD: Final = 256 * 1024
MAX_UNPACKED: Final = 8 * 1024 * 1024
_LONG: Final = 16 * 1024
_ZLIB: Final = b"\x78"
"""First byte of a zlib stream; no message starts so, since msgpack's maps do not."""
_COLUMNS: Final = (("series", "<i8"), ("time_ns", "<i8"), ("value", "<f8"), ("quality", "u1"), ("cause", "<u2"))
_ROW_BYTES: Final = sum(np.dtype(dtype).itemsize for _, dtype in _COLUMNS)
_WORTHWHILE: Final = 0.9
M = TypeVar("M", bound=msgspec.Struct)


class Lane(IntEnum):
    """Who goes first: alarms, then live rows, then what an outage left behind."""

    ALARM = 0
    LIVE = 1
    BACKLOG = 2


class Codec(IntEnum):
    """How the columns are packed."""

    RAW = 0
    ZLIB = 1


class Data(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One batch on the wire."""

    version: int
    epoch: int
    seq: int
    lane: Lane
    answered_ns: int
    rows: int
    codec: Codec
    columns: bytes


class Announce(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a gateway measures (retained). ``revision`` is a digest of the content; ``drill`` marks simulated input."""

    version: int = VERSION
    revision: str
    drill: bool
    stations: tuple[Station, ...]
    series: tuple[Series, ...]
    codes: tuple[Codes, ...] | msgspec.UnsetType = msgspec.UNSET
    """What the numbers of series that are codes mean; only to a centre that ``reads`` it (``Watch``)."""
    deployments: dict[str, tuple[Deployment, ...]] | msgspec.UnsetType = msgspec.UNSET
    """By device, oldest first; zeros and baselines by ``point/quantity``, in canonical units.

    Not on the wire where there are none: a centre before them refuses words that it does not know.
    """


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What the centre watches at one gateway (retained): per series, the values whose crossing is worth hurrying.

    The gateway decides nothing by it but who goes first (ADR 0006). Words that a gateway does not know are ignored.
    """

    version: int = VERSION
    marks: dict[str, tuple[float, ...]] = {}
    """Series id as text to values in the canonical unit."""
    reads: tuple[str, ...] = ()
    """Later words of an announcement that this centre reads (``telemetry.codes.READS``)."""


class Refusal(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A batch that the centre will never take, and why."""

    seq: int
    reason: str


class EpochAck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the batches of one epoch: inclusive ranges of committed and of held numbers, and refusals.

    Held is what the engine has judged although the store can't take it (ADR 0005): nothing of it waits for an answer
    any more, and nothing of it may be forgotten.
    """

    epoch: int
    committed: tuple[tuple[int, int], ...] = ()
    refused: tuple[Refusal, ...] = ()
    held: tuple[tuple[int, int], ...] = ()


class Ack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The centre's word to one gateway. ``announce`` asks it to announce (and then send what is open) again.

    ``run`` stands beside held numbers: which run of the centre remembers that it has judged them. Words that a gateway
    does not know are ignored; one that refuses them (before ADR 0005) must lose nothing by it, so what is not said is
    not sent, and held numbers come in a message of their own.
    """

    version: int = VERSION
    epochs: tuple[EpochAck, ...] = ()
    announce: bool = False
    run: int = 0
    bundles: bool = False
    """Said after each announcement, in a message of its own: from now on bundles are read (``telemetry.bundle``)."""


class Presence(StrEnum):
    """Whether a gateway is there; ``offline`` is also its will."""

    ONLINE = "online"
    OFFLINE = "offline"


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Health of a gateway (retained, with a will): depths of the spool, counts since start, hours until it is full.

    Words that a centre does not know are ignored, so a gateway may say more than its centre understands.
    """

    version: int = VERSION
    presence: Presence
    time_ns: int = 0
    epoch: int = 0
    spool_batches: int = 0
    spool_rows: int = 0
    spool_bytes: int = 0
    oldest_ns: int | None = None
    hours_until_full: float | None = None
    unacknowledged_s: float = 0.0
    polled_rows: int = 0
    acked_rows: int = 0
    dropped_rows: int = 0
    refused_batches: int = 0
    sent_bytes: int = 0
    devices: dict[str, str] = {}
    """Device name to ``ok`` or the reason of its last failure."""
    attributes: dict[str, dict[str, str]] = {}
    """Device name to what it says of itself: serial number, firmware, model."""
    drain_rows_per_s: float | None = None
    """Rows acknowledged a second, lately; None while there is too little to tell."""
    clock: ClockHealth | None = None
    line: LineUse | None = None
    notes: tuple[str, ...] = ()
    """What people should know although nothing stops by it, a line each."""


_PACK: Final = msgspec.msgpack.Encoder()
_DATA: Final = msgspec.msgpack.Decoder(Data)


def encode(message: msgspec.Struct) -> bytes:
    """Pack any message but a batch; a long one (the announcement of thousands of series) is compressed, 30 to 1."""
    packed = _PACK.encode(message)
    return packed if len(packed) < _LONG else zlib.compress(packed)


def decode(payload: bytes, kind: type[M]) -> M:
    """Unpack any message but a batch; raises ValueError for one that is too large, malformed or of another version."""
    _bound(payload)
    unpacked = _decompress(payload) if payload[:1] == _ZLIB else payload
    message = _convert(msgspec.msgpack.Decoder(kind), unpacked)
    _same_version(getattr(message, "version", VERSION))
    return message


def encode_batch(batch: Batch, lane: Lane) -> bytes:
    """Pack a numbered batch."""
    raw = b"".join(np.ascontiguousarray(getattr(batch, name), dtype).tobytes() for name, dtype in _COLUMNS)
    packed = zlib.compress(raw, 1)
    codec, columns = (Codec.ZLIB, packed) if len(packed) < _WORTHWHILE * len(raw) else (Codec.RAW, raw)
    return _PACK.encode(Data(VERSION, batch.epoch, batch.seq, lane, batch.answered_ns, len(batch), codec, columns))


def decode_batch(payload: bytes, source: str) -> tuple[Batch, Lane]:
    """Unpack a batch that arrived from ``source`` and check every promise of the type; raises ValueError."""
    batch, lane = unpack_batch(payload, source)
    check(batch)
    return batch, lane


def unpack_batch(payload: bytes, source: str) -> tuple[Batch, Lane]:
    """As ``decode_batch``, but what the columns hold is still to be checked (``telemetry.batch.check``)."""
    data = read_header(payload)
    if not 0 < data.rows <= MAX_ROWS:
        raise BadMessageError(Fault.LENGTHS, f"data: {data.rows} rows, expected 1 to {MAX_ROWS}")
    batch = Batch(
        source=source, epoch=data.epoch, seq=data.seq, answered_ns=data.answered_ns, **_split(_unpack(data), data.rows)
    )
    return batch, data.lane


def read_header(payload: bytes) -> Data:
    """The message with its identity but its columns still packed, so that a refusal can name the batch."""
    _bound(payload)
    data: Data = _convert(_DATA, payload)
    _same_version(data.version)
    if not (0 < data.epoch < 2**63 and 0 < data.seq < 2**63):
        text = f"data: epoch {data.epoch}, seq {data.seq}, expected positive 63-bit numbers"
        raise BadMessageError(Fault.MALFORMED, text)
    return data


def _bound(payload: bytes) -> None:
    if len(payload) > MAX_PAYLOAD:
        raise BadMessageError(Fault.TOO_LARGE, f"message of {len(payload)} bytes, expected at most {MAX_PAYLOAD}")


def _same_version(version: int) -> None:
    if version != VERSION:
        raise BadMessageError(Fault.MALFORMED, f"message of version {version}, expected {VERSION}")


def _convert(decoder: "msgspec.msgpack.Decoder[M]", payload: bytes) -> M:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadMessageError(Fault.MALFORMED, f"message is not what it should be: {exc}") from exc


def _unpack(data: Data) -> bytes:
    size = data.rows * _ROW_BYTES
    columns = data.columns if data.codec is Codec.RAW else _inflate(data.columns, size)
    if len(columns) != size:
        text = f"data: columns of {len(columns)} bytes, expected {size} for {data.rows} rows"
        raise BadMessageError(Fault.LENGTHS, text)
    return columns


def _inflate(packed: bytes, size: int) -> bytes:
    """Decompress at most one byte more than allowed, so that a bomb costs nothing."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, size + 1)
    except zlib.error as exc:
        raise BadMessageError(Fault.MALFORMED, f"data: columns do not decompress: {exc}") from exc
    if not inflater.eof or inflater.unused_data:
        raise BadMessageError(Fault.LENGTHS, f"data: columns decompress to something else than {size} bytes")
    return raw


def _decompress(payload: bytes) -> bytes:
    """A message that was compressed as a whole; at most ``MAX_UNPACKED`` bytes, whatever it claims."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(payload, MAX_UNPACKED)
    except zlib.error as exc:
        raise BadMessageError(Fault.MALFORMED, f"message does not decompress: {exc}") from exc
    if not inflater.eof or inflater.unused_data:
        raise BadMessageError(Fault.TOO_LARGE, f"message decompresses to more than {MAX_UNPACKED} bytes, or is cut off")
    return raw


def _split(raw: bytes, n: int) -> dict[str, Any]:
    columns, at = {}, 0
    for name, dtype in _COLUMNS:
        columns[name] = np.frombuffer(raw, dtype, n, at)
        at += n * np.dtype(dtype).itemsize
    return columns
