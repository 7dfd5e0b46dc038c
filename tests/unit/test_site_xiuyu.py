"""The default site: sound files, honest labels, and nothing that is not ours to give."""

import json
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from alerting.settings import load_centre
from alerting.site import load_site
from device_profiles import registry
from gateway.settings import compile_gateway, load_gateway
from petrel.sites import sketch
from petrel.sites.twins import lines
from telemetry.settings import SettingsError

FOLDER = Path(str(files("petrel.sites"))) / "xiuyu"
SITE = load_site(FOLDER / "site.yaml").settings
GATEWAY = load_gateway(FOLDER / "gateway.yaml")


def layer(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def test_thirteen_units_with_names_and_managing_bodies():
    assert len(SITE.areas) == 13
    assert {area.code for area in SITE.areas} >= {"350305001", "350305401"}
    assert "350305100" not in {area.code for area in SITE.areas}
    assert all(area.name.zh and area.name.en and area.managed_by for area in SITE.areas)
    others = {area.name.zh for area in SITE.areas if area.managed_by.zh != "秀屿区"}
    assert others == {"忠门镇", "东埔镇", "山亭镇", "湄洲镇"}


def test_seats_are_no_finer_than_a_hundredth_of_a_degree():
    seats = [(area.lon, area.lat) for area in SITE.areas if area.lon is not None]
    assert len(seats) == 12
    assert all(round(x, 2) == x and round(y, 2) == y for x, y in seats)


def test_every_threshold_says_that_it_is_illustrative_and_one_gauge_is_unconfigured():
    assert all(threshold.illustrative and threshold.datum and threshold.date for threshold in SITE.thresholds)
    empty = [t for t in SITE.thresholds if all(value is None for value in t.ladder())]
    assert [t.station for t in empty] == ["tide-pinghai"]


def test_thresholds_and_pipelines_name_series_that_the_gateway_announces():
    announced = {(s.station, s.point, s.quantity) for s in compile_gateway(GATEWAY).announce.series}
    assert {(t.station, t.point, t.quantity) for t in SITE.thresholds} <= announced
    for pipeline in SITE.pipelines:
        for end in (pipeline.inlet, pipeline.outlet):
            assert (end.station, end.flow, "flow") in announced
            assert (end.station, end.pressure, "pipe_pressure") in announced


def test_stations_stand_in_their_towns_and_within_bounds():
    west, south, east, north = SITE.bounds
    towns = {area.code for area in SITE.areas}
    stations = GATEWAY.settings.stations
    assert len(stations) >= 14
    for station in stations:
        assert station.town in towns
        assert west < station.lon < east
        assert south < station.lat < north
    kinds = [station.kind for station in stations]
    counts = {kind: kinds.count(kind) for kind in kinds}
    assert counts == {"weather": 6, "tide": 2, "river": 3, "air": 3, "pipeline": 2, "gas": 2}


def test_gateway_is_a_drill_with_several_units_on_slow_lines_and_devices_on_tcp():
    settings = GATEWAY.settings
    assert settings.drill
    bauds = {bus.serial.baud: len(bus.devices) for bus in settings.buses if bus.serial}
    assert bauds[9600] > 1
    assert bauds[19200] > 1
    assert sum(bus.tcp is not None for bus in settings.buses) >= 2
    assert sum(bus.listen is not None for bus in settings.buses) >= 2
    profiles = {device.profile for bus in settings.buses for device in bus.devices}
    assert profiles <= set(registry.names())
    assert len(profiles) >= 7


def test_every_device_has_a_twin_on_its_own_line():
    twins = lines(GATEWAY.settings.buses)
    assert [[unit.device for unit in line.units] for line in twins] == [
        [device.name for device in bus.devices] for bus in GATEWAY.settings.buses
    ]


def test_centre_is_sound_a_drill_and_answers_this_machine_alone():
    centre = load_centre(FOLDER / "centre.yaml").settings
    assert centre.drill
    assert centre.http.host == "127.0.0.1"


def test_layers_declare_crs_and_attribution():
    """A layer without a crs is refused: boundaries labelled WGS-84 are often shifted by 500 m."""
    assert "OpenStreetMap" in next(one for one in SITE.layers if one.id == "land").attribution.en
    assert all(one.crs and one.attribution.zh for one in SITE.layers)
    assert {one.id: one.sketch for one in SITE.layers} == {"land": False, "district": True, "townships": True}


def test_layer_without_crs_is_refused(tmp_path):
    text = (FOLDER / "site.yaml").read_text(encoding="utf-8").replace("    crs: EPSG:4490\n", "")
    for file in FOLDER.glob("*.geojson"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="crs"):
        load_site(tmp_path / "site.yaml")


def test_sketch_is_what_the_generator_makes_of_the_seats():
    outline = layer("district_350305_tianditu_generalised.geojson")
    assert layer("townships_sketch.geojson") == json.loads(json.dumps(sketch.layer(SITE.areas, outline)))


def test_every_place_in_the_sketch_belongs_to_the_nearest_seat():
    """Against the definition itself: random places, nearest by distance, inside by crossing number."""
    seats = {area.code: (area.lon, area.lat) for area in SITE.areas if area.lon is not None}
    squeeze = np.cos(np.deg2rad(np.mean([lat for _, lat in seats.values()])))
    outline = layer("district_350305_tianditu_generalised.geojson")["features"][0]["geometry"]["coordinates"]
    drawn = layer("townships_sketch.geojson")["features"]
    cells = {feature["properties"]["code"]: feature["geometry"]["coordinates"] for feature in drawn}
    west, south, east, north = SITE.bounds
    tried = 0
    for x, y in np.random.default_rng(5).uniform((west, south), (east, north), (1500, 2)):
        inside = any(crossings(polygon[0], x, y) % 2 for polygon in outline)
        distances = sorted((((lon - x) * squeeze) ** 2 + (lat - y) ** 2, code) for code, (lon, lat) in seats.items())
        if distances[1][0] - distances[0][0] < 1e-4:
            continue
        owners = [code for code, polygons in cells.items() if any(crossings(p[0], x, y) % 2 for p in polygons)]
        assert owners == ([distances[0][1]] if inside else [])
        tried += inside
    assert tried > 200


def crossings(ring, x, y):
    found = 0
    for (x0, y0), (x1, y1) in pairwise(ring):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            found += 1
    return found


def test_nothing_stands_here_that_may_not_be_given():
    names = {file.name for file in FOLDER.iterdir()}
    assert not {"district_350305.geojson", "townships_350305_indicative.geojson"} & names
    assert "ODbL" in (FOLDER / "LAYERS.md").read_text(encoding="utf-8")
