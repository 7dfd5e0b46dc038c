"""What each gateway should watch, until the connection has said it; said again on every connection."""

import asyncio

from telemetry.wire import Watch


class Watches:
    """The newest word to each gateway. Retained by the broker, so a gateway that comes later hears it too."""

    def __init__(self) -> None:
        self._words: dict[str, Watch] = {}
        self._unsaid: dict[str, None] = {}
        self._more = asyncio.Event()

    def put(self, source: str, watch: Watch) -> None:
        """A gateway's word; the same as before is nothing new."""
        if self._words.get(source) == watch:
            return
        self._words[source] = watch
        self._unsaid[source] = None
        self._more.set()

    def again(self) -> None:
        """A new connection: the broker may have forgotten everything."""
        self._unsaid = dict.fromkeys(self._words)
        if self._unsaid:
            self._more.set()

    async def next(self) -> tuple[str, Watch]:
        """Wait for a word that is not said yet."""
        while not self._unsaid:
            self._more.clear()
            await self._more.wait()
        source = next(iter(self._unsaid))
        del self._unsaid[source]
        return source, self._words[source]
