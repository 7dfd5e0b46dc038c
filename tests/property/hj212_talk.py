"""HJ 212 messages made by hand, and what a session makes of them."""

from edge_agent.drivers.hj212.driver import PROTOCOL
from edge_agent.drivers.hj212.frames import Message

NOW_NS = 1_785_000_000 * 10**9
MN = "010000A8900016F000169DC0"
# 2016-08-01 08:40:00 in Beijing is 00:40:00 in UTC
SAMPLED_NS = 1_470_012_000 * 10**9
UPLOAD = Message(qn="20160801085000001", st="31", cn="2011", pw="123456", mn=MN, wants_answer=True)

HEAD = f"QN=20160801085000001;ST=31;CN=2011;PW=123456;MN={MN};Flag=4;CP=&&"


def receive(stream, session=None):
    return (session or PROTOCOL.session()).receive(stream, NOW_NS)


def frame(segment):
    """A frame by hand, with an independent CRC: that of the text of annex A, bit by bit over one register."""
    register = 0xFFFF
    for byte in segment.encode("latin-1"):
        register = byte ^ (register >> 8)
        for _ in range(8):
            carry, register = register & 1, register >> 1
            register ^= 0xA001 * carry
    return f"##{len(segment):04}{segment}{register:04X}\r\n".encode("latin-1")


def packages(*places, text="DataTime=20160801084000;a{}-Rtd=1", qn=UPLOAD.qn):
    head = HEAD.replace("Flag=4", "Flag=7;PNUM={};PNO={}").replace(UPLOAD.qn, qn)
    return b"".join(frame(head.format(*place) + text.format(place[1]) + "&&") for place in places)
