"""Ways to tell somebody: one module each, found by a scan; adding a channel is adding a file here."""

from alerting.channels.contract import Channel, ChannelError, ChannelSettings, Message, Receipt, Sent, marked
from alerting.channels.registry import Kind, kinds

__all__ = [
    "Channel",
    "ChannelError",
    "ChannelSettings",
    "Kind",
    "Message",
    "Receipt",
    "Sent",
    "kinds",
    "marked",
]
