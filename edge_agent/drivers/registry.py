"""Which driver speaks for a profile: a package of ``edge_agent.drivers`` under the name of the protocol."""

from importlib import import_module

from device_profiles.field_model import FieldProfile
from edge_agent.drivers.contract import Polled, Pushed


def protocol(profile: FieldProfile) -> Polled | Pushed:
    """The protocol object of a device: the driver's ``PROTOCOL``, or what its ``of(profile)`` makes of the profile."""
    driver = import_module(f"edge_agent.drivers.{profile.protocol}.driver")
    found: Polled | Pushed = driver.of(profile) if hasattr(driver, "of") else driver.PROTOCOL
    return found
