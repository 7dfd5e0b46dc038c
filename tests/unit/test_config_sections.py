"""Every section of gateway.yaml is swapped from afar or refused: none may be taken and have no effect."""

import msgspec

from gateway.remote import change
from gateway.settings import GatewaySettings

SWAPPED = {"broker", "tls", "stations", "outputs", "buses"}


def test_no_section_is_taken_from_afar_and_forgotten():
    assert {field.name for field in msgspec.structs.fields(GatewaySettings)} == SWAPPED | set(change._VISITED)
