"""A lane: a channel with its settings, and one attempt on it."""

import asyncio
from dataclasses import dataclass

from alerting.alarms import Event
from alerting.channels import Channel, ChannelError, ChannelSettings, Message, Sent, marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A channel with its settings."""

    settings: ChannelSettings
    channel: Channel

    async def attempt(self, event: Event, key: str, number: int) -> Sent:
        """Tell of an event once, within the time of the settings; raises ChannelError. ``number`` counts from 1."""
        message = Message(key=key, attempt=number, event=event, text=marked(event.text, drill=event.drill))
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                return await self.channel.send(message)
        except TimeoutError:
            raise ChannelError(f"no answer within {self.settings.timeout_s:g} s") from None
