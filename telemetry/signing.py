"""Signed messages: HMAC-SHA256 (RFC 2104) with a key that one gateway and those who command it share (ADR 0008).

Layout: ``SP1``, the id of the key (8 bytes), the signature (32), then the body. The signature covers all of the other
bytes and the topic, so a message counts for one gateway, one channel and one direction alone. What is signed is the
bytes themselves: nothing has to be brought into a canonical form before it can be checked.
"""

import binascii
import hmac
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Final

from telemetry.topics import is_name

MAGIC: Final = b"SP1"
SECRET_BYTES: Final = 32
KEYS: Final = "PETREL_GATEWAY_KEYS"
"""The name of the secret with a gateway's keys, for telemetry.settings.secret."""
_ID_BYTES: Final = 8
_HEAD: Final = len(MAGIC) + _ID_BYTES
_BODY: Final = _HEAD + sha256().digest_size
_LINE: Final = re.compile(r"(\S+)\s+(\S+)")


class SignatureError(ValueError):
    """A message that nobody with a known key has signed for this topic. None of it may be used."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its holder's name, by which an audit calls whoever signed with it."""

    name: str
    secret: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        """Which key it is; says nothing about the secret."""
        return blake2b(self.secret, digest_size=_ID_BYTES, person=b"petrel-key").digest()


def new_key(name: str, random_bytes: Callable[[int], bytes]) -> Key:
    """A fresh key; ``random_bytes`` must be fit for secrets (``secrets.token_bytes``). Raises ValueError."""
    if not is_name(name):
        raise ValueError(f"key {name!r}, expected a name of lower-case letters, digits and hyphens")
    return Key(name, random_bytes(SECRET_BYTES))


def written(key: Key) -> str:
    """A key as a line of a key file: its name and its secret."""
    return f"{key.name} {urlsafe_b64encode(key.secret).decode()}\n"


def parse_keys(text: str) -> tuple[Key, ...]:
    """The keys in a file, one a line (two while one takes the place of the other); raises ValueError.

    No message repeats what may be a secret.
    """
    keys = tuple(_key(number, line) for number, line in enumerate(text.splitlines(), 1) if not _is_remark(line))
    if not keys:
        raise ValueError("no key, expected a line with a name and a secret (petrel gateway key)")
    if len({key.name for key in keys}) < len(keys) or len({key.id for key in keys}) < len(keys):
        raise ValueError("a key stands there twice, expected each name and each secret once")
    return keys


def _is_remark(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _key(number: int, line: str) -> Key:
    found = _LINE.fullmatch(line.strip())
    if found is None or not is_name(found[1]):
        raise ValueError(f"line {number}: expected a name and a secret, as petrel gateway key writes them")
    try:
        secret = b64decode(found[2], altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError(f"line {number}: the secret of {found[1]} is not base64, expected it as written") from exc
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"line {number}: a secret of {len(secret)} bytes, expected {SECRET_BYTES}")
    return Key(found[1], secret)


def sign(body: bytes, key: Key, topic: str) -> bytes:
    """A message that says ``body`` on ``topic``."""
    head = MAGIC + key.id
    return head + _signature(head, body, key, topic) + body


def verify(message: bytes, keys: Iterable[Key], topic: str) -> tuple[bytes, Key]:
    """The body, and whose key has signed it; raises SignatureError."""
    head, body = message[:_HEAD], message[_BODY:]
    if len(message) < _BODY or not head.startswith(MAGIC):
        raise SignatureError(f"message of {len(message)} bytes that is not signed, expected a signed one")
    for key in keys:
        if key.id == head[len(MAGIC) :]:
            if hmac.compare_digest(_signature(head, body, key, topic), message[_HEAD:_BODY]):
                return body, key
            raise SignatureError(f"wrong signature for {topic} by the key {key.name}, expected an unchanged message")
    raise SignatureError(f"signed with the unknown key {head[len(MAGIC) :].hex()}, expected one of this gateway's")


def unverified(message: bytes) -> tuple[str, bytes]:
    """The id of the key and the body that a message claims to have, for who only looks on; raises SignatureError."""
    if len(message) < _BODY or not message.startswith(MAGIC):
        raise SignatureError(f"message of {len(message)} bytes that is not signed, expected a signed one")
    return message[len(MAGIC) : _HEAD].hex(), message[_BODY:]


def _signature(head: bytes, body: bytes, key: Key, topic: str) -> bytes:
    """The length keeps topic and body apart: no other pair gives the same bytes."""
    named = topic.encode()
    return hmac.digest(key.secret, head + len(named).to_bytes(2, "big") + named + body, "sha256")
