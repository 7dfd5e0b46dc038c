"""When a certificate ends, read from its file: Python's ssl tells that of the other side's alone (RFC 5280, 4.1)."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from telemetry.clock import SECOND_NS

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION: Final = 0xA0
_VALIDITY: Final = 3
"""Which field of a certificate it is, but for the version: behind serial number, algorithm and issuer."""
_TIMES: Final = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
"""UTCTime and GeneralizedTime (4.1.2.5)."""
_CENTURY: Final = 100
_LAST_OF_1900: Final = 2050


def ends_ns(text: str) -> int:
    """The last moment (UTC) of the first certificate in a PEM file; raises ValueError."""
    found = _PEM.search(text)
    if found is None:
        raise ValueError("no certificate, expected one in PEM")
    (certificate,) = _parts(ssl.PEM_cert_to_DER_cert(found[0]))
    (_, body), *_ = _parts(certificate[1])
    fields = [part for tag, part in _parts(body) if tag != _VERSION]
    if len(fields) <= _VALIDITY:
        raise ValueError(f"a certificate of {len(fields)} fields, expected more than {_VALIDITY}")
    *_, (kind, moment) = _parts(fields[_VALIDITY])
    return _moment_ns(kind, moment)


def _moment_ns(kind: int, text: bytes) -> int:
    if kind not in _TIMES:
        raise ValueError(f"a time of kind {kind:#x}, expected UTCTime or GeneralizedTime")
    moment = datetime.strptime(text.decode("ascii"), _TIMES[kind]).replace(tzinfo=UTC)
    if kind == min(_TIMES) and moment.year >= _LAST_OF_1900:
        moment = moment.replace(year=moment.year - _CENTURY)
    return int(moment.timestamp()) * SECOND_NS


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents that follow each other (X.690, 8.1, definite lengths); raises ValueError."""
    at = 0
    while at < len(der):
        start, length = at + 2, der[at + 1] if at + 1 < len(der) else 0
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[at + 2 : start], "big")
        if start + length > len(der) or start > len(der):
            raise ValueError(f"{len(der)} bytes end in the middle of a field, expected a whole certificate")
        yield der[at], der[start : start + length]
        at = start + length
