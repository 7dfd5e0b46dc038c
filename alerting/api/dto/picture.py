"""Everything that a console shows at once."""

from dataclasses import dataclass

from alerting.api.dto.alarms import Alarm
from alerting.api.dto.gateways import Gateway
from alerting.api.dto.places import Area, Site, Station


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that the console shows: the data of ``event: snapshot``; a ``delta`` holds what changed of it."""

    site: Site
    stations: list[Station]
    areas: list[Area]
    alarms: list[Alarm]
    gateways: list[Gateway]
