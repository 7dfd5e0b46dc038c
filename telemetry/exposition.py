"""What was counted for one scrape, in the text format of Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector


def exposition(metrics: Iterable[Metric]) -> bytes:
    """The text, from a registry of its own: nothing is registered for the whole process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(list(metrics)))
    return generate_latest(registry)


class _Once(Collector):
    """Hands over what was counted for this scrape."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
