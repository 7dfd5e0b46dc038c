"""An HTTP POST of the alarm as JSON to an address, signed when a secret is configured (docs/reference/webhook.md).

``Idempotency-Key`` is the same at every attempt, so that a receiver can drop what it already has.
``Petrel-Signature: t=<unix seconds>,v1=<hex>`` is the HMAC-SHA256 of ``<t>.<body>`` under the secret: it covers
the time, so that a recorded request can't be played again later.
"""

import hmac
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from alerting.channels.contract import ChannelError, ChannelSettings, Message, Receipt, Sent, payload
from alerting.channels.registry import Kind
from telemetry.clock import SECOND_NS, SystemClock
from telemetry.host import check_host, check_port
from telemetry.settings import secret

_PASSING: Final = frozenset({408, 425, 429})
_LONGEST_ANSWER: Final = 16 * 1024
_LONGEST_NOTE: Final = 200
_LONGEST_WISH_S: Final = 900.0


class WebhookSettings(ChannelSettings, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="webhook"):
    """``url``: http or https. ``secret``: name of the environment variable that holds the key of the signature."""

    url: str
    secret: str | None = None


class WebhookChannel:
    """Keeps connections to one receiver open; follows no redirect and asks no proxy."""

    def __init__(self, settings: WebhookSettings, _folder: Path) -> None:
        self._url = settings.url
        self._key = _key(settings)
        self._wall = SystemClock()  # a receiver compares the time in the signature with its own
        limits = httpx.Limits(max_connections=settings.parallel, max_keepalive_connections=settings.parallel)
        self._client = httpx.AsyncClient(timeout=settings.timeout_s, limits=limits, trust_env=False)

    async def send(self, message: Message) -> Sent:
        """Post a message; 2xx counts as accepted, 408, 425, 429, 5xx and broken connections are tried again."""
        body = msgspec.json.encode(payload(message))
        headers = self._headers(message, body)
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                text = await _read(answer)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
            raise ChannelError(f"{type(exc).__name__}: {exc}".rstrip(": ")) from exc
        if answer.is_success:
            return Sent(receipt=Receipt.ACCEPTED, note=f"{answer.status_code} {text}".strip())
        raise _refusal(answer, text)

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "idempotency-key": message.key,
            "user-agent": "stormpetrel",
            "petrel-drill": "true" if message.event.drill else "false",
        }
        if self._key is not None:
            at = str(self._wall.now_ns() // SECOND_NS)
            headers["petrel-signature"] = f"t={at},v1={sign(self._key, at, body)}"
        return headers

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def sign(key: bytes, at: str, body: bytes) -> str:
    """The signature of a body sent at a Unix time in seconds, as hex; receivers compute the same."""
    return hmac.digest(key, at.encode() + b"." + body, "sha256").hex()


async def _read(answer: httpx.Response) -> str:
    """The beginning of the answer; reading it to its end lets the connection live, a long one is cut."""
    text = b""
    async for piece in answer.aiter_bytes():
        text += piece
        if len(text) > _LONGEST_ANSWER:
            break
    return text[:_LONGEST_NOTE].decode("utf-8", "replace")


def _refusal(answer: httpx.Response, text: str) -> ChannelError:
    status = answer.status_code
    final = status < 500 and status not in _PASSING
    return ChannelError(f"{status} {text}".strip(), final=final, retry_after_s=_wish(answer))


def _wish(answer: httpx.Response) -> float:
    value = answer.headers.get("retry-after", "")
    return min(float(value), _LONGEST_WISH_S) if value.isascii() and value.isdigit() else 0.0


def _key(settings: WebhookSettings) -> bytes | None:
    if settings.secret is None:
        return None
    if not (value := secret(settings.secret)):
        raise ValueError(f"channel {settings.name}: secret {settings.secret} is not set, expected it to be")
    return value.encode()


def _problem(settings: WebhookSettings) -> str | None:
    try:
        url = urlsplit(settings.url)
        port = url.port  # one that is no number is found here
    except ValueError as exc:
        return f"url: {settings.url!r}: {exc}, expected http://host/path"
    if url.scheme not in ("http", "https") or not url.hostname:
        return f"url: {settings.url!r}, expected http://host/path or https://host/path"
    try:
        check_host(url.hostname)
        check_port(1 if port is None else port)
    except ValueError as exc:
        return f"url: {exc}"
    if url.username is not None or url.password is not None:
        return "url: holds a user name or password, expected them in the environment (secret: NAME)"
    if settings.secret is not None and not secret(settings.secret):
        return f"secret: environment variable {settings.secret} is not set, expected the key of the signature"
    return None


KIND: Final = Kind(
    name="webhook", settings=WebhookSettings, receipt=Receipt.ACCEPTED, open=WebhookChannel, problem=_problem
)
