"""SL 651 frames made by hand with an independent CRC, and what a session makes of them."""

import binascii

from edge_agent.drivers.sl651.driver import PROTOCOL
from edge_agent.drivers.sl651.frames import End, Frame

NOW_NS = 1_785_000_000 * 10**9  # 2026-07-26 01:20:00 in Beijing
STATION = "0012345678"
# 2026-07-25 17:00 in Beijing
OBSERVED_NS = 1_784_970_000 * 10**9
UP = Frame(station=STATION, centre=1, password=0x1234, function=0x32, text=b"?", end=End.ETX)


def crc(data):
    """CRC-16 with polynomial 8005h reflected, by the bits of a polynomial division (H.3.2)."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "big")


def frame(text, function="32", end="03", password="1234", package="", direction="0", head="01" + STATION):
    """A frame from hexadecimal parts; spaces are for the reader."""
    body = binascii.unhexlify((package + text).replace(" ", ""))
    start = "16" if package else "02"
    content = binascii.unhexlify(f"7E7E{head}{password}{function}{direction}{len(body):03X}{start}")
    content += body + binascii.unhexlify(end)
    return content + crc(content)


STAMP = "0007 260725170003"
PLACE = f"F1F1 {STATION} 48 F0F0 2607251700"


def receive(stream, session=None, now_ns=NOW_NS):
    return (session or PROTOCOL.session()).receive(stream, now_ns)
