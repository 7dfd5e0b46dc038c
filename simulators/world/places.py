"""Places: what a world must know of a site beyond where its stations stand (``sites/<site>.yaml``)."""

import msgspec

from simulators.world.gas import Detector
from simulators.world.pipeline import Pipeline
from simulators.world.river import Catchment
from simulators.world.sea import Basin, Constituent
from simulators.world.weather import Exposure


class Coast(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sea at a site: mean level over the datum in m, the tide, and the basin behind each gauge."""

    mean_level_m: float
    constituents: dict[str, Constituent]
    gauges: dict[str, Basin]


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Detectors (by the name of their point) around the place where a pipeline may leak."""

    pipeline: str
    detectors: dict[str, Detector]


class Places(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The physical site, by station: everything here is illustrative unless a note says otherwise.

    ``mounts`` are heights in m over the datum of gauges that look down on the water.
    """

    site: str
    note: str
    exposures: dict[str, Exposure]
    coast: Coast
    mounts: dict[str, float] = {}
    rivers: dict[str, Catchment] = {}
    pipelines: dict[str, Pipeline] = {}
    releases: dict[str, Release] = {}
    pm25: dict[str, float] = {}
    """Background of fine particles in ug/m3; 20 where nothing is said."""
