"""Every channel of the registry: found by the scan, honest about its receipt, refuses names that two claim."""

import pytest

from alerting.channels import Receipt, kinds
from alerting.channels.registry import index


def test_the_scan_finds_the_channels_by_name():
    assert set(kinds()) >= {"webhook", "log"}
    assert all(name == kind.name for name, kind in kinds().items())


def test_two_channels_of_one_name_are_refused():
    kind = kinds()["log"]
    with pytest.raises(ValueError, match="two channels are named 'log'"):
        index([kind, kind])


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_a_channel_says_how_far_its_receipt_goes(kind):
    assert isinstance(kind.receipt, Receipt)
    assert kind.settings.__struct_config__.tag == kind.name
    assert kind.settings.__struct_config__.forbid_unknown_fields
    assert kind.settings.__doc__
