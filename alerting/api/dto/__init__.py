"""The JSON of the interface, in one place: the OpenAPI document is made of these, so are the answers.

Times are ISO 8601 with offset in the site's timezone, series identities text (63 bits exceed JavaScript's numbers),
values in the canonical unit of their quantity, and null means that there is none.
"""

from alerting.api.dto.alarms import Alarm, Alarms
from alerting.api.dto.gateways import Gateway, Gateways
from alerting.api.dto.picture import Picture
from alerting.api.dto.places import (
    Area,
    Areas,
    HazardLevel,
    Layer,
    Reading,
    Site,
    SiteArea,
    Station,
    Stations,
    Threshold,
)
from alerting.api.dto.plain import Level, QualityName, Text
from alerting.api.dto.series import BucketPoints, Deployment, RawPoints, Series, SeriesPoints, Zero
from alerting.api.dto.vitals import Condition, Health, Part, Problem

__all__ = [
    "Alarm",
    "Alarms",
    "Area",
    "Areas",
    "BucketPoints",
    "Condition",
    "Deployment",
    "Gateway",
    "Gateways",
    "HazardLevel",
    "Health",
    "Layer",
    "Level",
    "Part",
    "Picture",
    "Problem",
    "QualityName",
    "RawPoints",
    "Reading",
    "Series",
    "SeriesPoints",
    "Site",
    "SiteArea",
    "Station",
    "Stations",
    "Text",
    "Threshold",
    "Zero",
]
