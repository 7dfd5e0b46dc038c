"""Signed messages: what was signed verifies; nothing else ever does."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.signing import Key, SignatureError, new_key, parse_keys, sign, unverified, verify, written

TOPIC = "petrel/1/xiuyu/gw-1/command"
KEYS = (Key("desk", bytes(range(32))), Key("spare", bytes(range(32, 64))))
BODIES = st.binary(max_size=300)
SECRETS = st.binary(min_size=32, max_size=32)


@given(BODIES, st.sampled_from(KEYS))
def test_a_signed_message_verifies_and_says_who_signed_it(body, key):
    assert verify(sign(body, key, TOPIC), KEYS, TOPIC) == (body, key)


@given(BODIES, st.data())
def test_one_flipped_bit_anywhere_is_refused(body, data):
    message = bytearray(sign(body, KEYS[0], TOPIC))
    at = data.draw(st.integers(0, 8 * len(message) - 1))
    message[at // 8] ^= 1 << at % 8
    with pytest.raises(SignatureError):
        verify(bytes(message), KEYS, TOPIC)


@given(BODIES, st.integers(0, 400))
def test_a_message_that_is_cut_or_longer_is_refused(body, size):
    message = sign(body, KEYS[0], TOPIC)
    for other in (message[: min(size, len(message) - 1)], message + bytes(size + 1)):
        with pytest.raises(SignatureError):
            verify(other, KEYS, TOPIC)


@given(BODIES, st.sampled_from(["petrel/1/xiuyu/gw-2/command", "petrel/1/xiuyu/gw-1/result", TOPIC + "x", ""]))
def test_a_message_counts_for_its_own_topic_alone(body, other):
    """A command for one gateway is none for its neighbour, and an answer can't be sent back as an order."""
    with pytest.raises(SignatureError):
        verify(sign(body, KEYS[0], TOPIC), KEYS, other)


@given(BODIES, SECRETS)
def test_another_key_is_refused(body, secret):
    with pytest.raises(SignatureError):
        verify(sign(body, Key("desk", secret), TOPIC), [key for key in KEYS if key.secret != secret], TOPIC)


@given(st.binary(max_size=200))
def test_noise_is_refused(noise):
    with pytest.raises(SignatureError):
        verify(noise, KEYS, TOPIC)


def test_the_signature_is_the_one_of_rfc_2104():
    """Computed anew from the layout in the decision, by the standard library's other way to it."""
    message = sign(b"body", KEYS[0], TOPIC)
    covered = message[:11] + len(TOPIC).to_bytes(2, "big") + TOPIC.encode() + b"body"
    assert message[11:43] == hmac.new(KEYS[0].secret, covered, "sha256").digest()


@given(st.lists(SECRETS, min_size=1, max_size=4, unique=True))
def test_a_key_file_reads_back(secrets):
    keys = tuple(new_key(f"key-{at}", lambda _, one=one: one) for at, one in enumerate(secrets))
    assert parse_keys("# who may command\n\n" + "".join(map(written, keys))) == keys


@pytest.mark.parametrize(
    "text", ["", "desk", "Desk AAAA", "desk AAAA", "desk !!!!", written(KEYS[0]) * 2, "desk " + "A" * 42 + "*"]
)
def test_a_bad_key_file_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError) as caught:
        parse_keys(text)
    assert not any(word in str(caught.value) for word in text.split()[1:])


def test_a_key_does_not_print_its_secret():
    assert "secret" not in repr(KEYS[0])


@given(BODIES)
def test_who_only_looks_on_sees_the_body_and_which_key_it_claims(body):
    assert unverified(sign(body, KEYS[0], TOPIC)) == (KEYS[0].id.hex(), body)
    with pytest.raises(SignatureError):
        unverified(body[:40])
