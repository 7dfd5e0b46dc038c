"""The InfluxDB 2 adapter, as far as it can be run without that server: what it asks, and what it makes of an answer.

Debian packages InfluxDB 1.6 only, which has no v2 interface. Lines are written to VictoriaMetrics by the same client.
"""

import numpy as np
import pytest

from ingest.store.protocol import StoreRefusedError
from ingest.store.server.address import Address
from ingest.store.server.influxdb import InfluxDB, rows_of_csv
from ingest.store.server.store import ServerStore
from ingest.store.server.victoriametrics import VictoriaMetrics
from telemetry.quality import Quality
from tests.contract.store_servers import victoria_metrics
from tests.unit.ingest_data import START_NS, batch

ANSWER = """\
#datatype,string,long,dateTime:RFC3339,double,string,string\r
#group,false,false,false,false,true,true\r
#default,_result,,,,,\r
,result,table,_time,_value,_field,series\r
,,0,2023-07-27T23:20:00.001Z,1.25,value,81\r
,,0,2023-07-27T23:20:00Z,-3.5e+20,value,81\r
,,0,2023-07-27T23:20:04Z,8,value,81\r
\r
#datatype,string,long,dateTime:RFC3339,long,string,string,string\r
#group,false,false,false,false,true,true,true\r
#default,_result,,,,,,\r
,result,table,_time,_value,_field,series,layer\r
,,1,2023-07-27T23:20:00Z,3,quality,81,\r
,,1,2023-07-27T23:20:00.001Z,1,quality,81,\r
,,1,2023-07-27T23:20:02Z,4,quality,81,\r
,,1,2023-07-27T23:20:03Z,1,quality,81,\r
,,2,2023-07-27T23:20:00Z,2,quality,81,2\r
,,3,2023-07-27T23:20:00Z,64,cause,81,2\r
,,4,2023-07-27T23:20:02Z,32,cause,81,\r
,,5,2023-07-27T23:20:00Z,7,value,81,2\r
"""
"""Annotated CSV as InfluxDB describes it: a header for each table of another shape, nothing where it has no value."""


@pytest.fixture
def talk():
    server = InfluxDB(Address(url="http://127.0.0.1:9", measurement='pe"tr${el', bucket="b\\ü"))
    yield server
    server.close()


def test_fields_of_several_tables_become_rows_and_halves_of_rows_none(talk, monkeypatch):
    monkeypatch.setattr(talk, "_ask", lambda _: rows_of_csv(ANSWER))
    found = talk.read(None, 0, 2**43)
    start_ms = 1_690_500_000_000
    assert found.time_ms.tolist() == [start_ms, start_ms + 1, start_ms + 2000, start_ms]
    np.testing.assert_array_equal(found.value, [-3.5e20, 1.25, np.nan, 7.0])
    assert found.quality.tolist() == [Quality.BAD, Quality.GOOD, Quality.MISSING, Quality.SUSPECT]
    assert found.cause.tolist() == [0, 0, 32, 64]
    assert found.rank.tolist() == [0, 0, 0, 2]


def test_a_question_names_series_as_tags_and_quotes_what_people_chose(talk, monkeypatch):
    """Flux's own parser (0.8.40) was asked once whether these are its language; it said yes."""
    asked: list[str] = []
    monkeypatch.setattr(talk, "_ask", lambda flux: asked.append(flux) or iter([]))
    talk.read(np.array([1, 2**62]), -5, 1000)
    talk.read(np.arange(101), 0, 1000)
    talk.count(Quality.MISSING)
    assert asked[0] == (
        'from(bucket: "b\\\\ü")\n  |> range(start: time(v: 0), stop: time(v: 1000000000))\n'
        '  |> filter(fn: (r) => r._measurement == "pe\\"tr\\${el" and '
        '(r.series == "1" or r.series == "4611686018427387904"))\n'
        '  |> keep(columns: ["_time", "_value", "_field", "series", "layer"])'
    )
    assert [flux.count("r.series ==") for flux in asked] == [2, 100, 1, 0]
    assert asked[3].endswith('r._field == "quality" and r._value == 4)\n  |> group() |> count()')
    assert len(talk.read(None, 5, 5)) == 0


def test_another_server_is_refused_before_a_row_is_sent(tmp_path):
    """VictoriaMetrics would take the lines, and answer no question in Flux."""
    with victoria_metrics(tmp_path / "vm") as server:
        store = ServerStore(InfluxDB(Address(url=server.url)), tmp_path / "journal", now_ns=lambda: START_NS)
        with pytest.raises(StoreRefusedError, match="InfluxDB no version, expected version 2"):
            store.commit([batch(1, [1.0, 2.0])])
        store.close()
        own = VictoriaMetrics(Address(url=server.url))
        assert own.count() == 0
        own.close()
