"""The JSON of the interface, in one place: the OpenAPI document is made of these, so are the answers.

Times are ISO 8601 with offset in the site's timezone, series identities text (63 bits exceed JavaScript's numbers),
values in the canonical unit of their quantity, and null means that there is none.
"""

from alerting.api.dto.alarms import Alarm, Alarms
from alerting.api.dto.catalogue import (
    CatalogueSeries,
    CatalogueSeriesPage,
    CatalogueStation,
    CatalogueStations,
    Contact,
    Owner,
    Owners,
    Quantities,
    Quantity,
    Risk,
    Risks,
    Terms,
    Watcher,
)
from alerting.api.dto.coverage import (
    Completeness,
    Coverage,
    DayShare,
    Network,
    NetworkCell,
    RiskCell,
    RiskCoverage,
)
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
    "CatalogueSeries",
    "CatalogueSeriesPage",
    "CatalogueStation",
    "CatalogueStations",
    "Completeness",
    "Condition",
    "Contact",
    "Coverage",
    "DayShare",
    "Deployment",
    "Gateway",
    "Gateways",
    "HazardLevel",
    "Health",
    "Layer",
    "Level",
    "Network",
    "NetworkCell",
    "Owner",
    "Owners",
    "Part",
    "Picture",
    "Problem",
    "QualityName",
    "Quantities",
    "Quantity",
    "RawPoints",
    "Reading",
    "Risk",
    "RiskCell",
    "RiskCoverage",
    "Risks",
    "Series",
    "SeriesPoints",
    "Site",
    "SiteArea",
    "Station",
    "Stations",
    "Terms",
    "Text",
    "Threshold",
    "Watcher",
    "Zero",
]
