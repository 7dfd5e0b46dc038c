"""The centre's derived series: the stage with the rules and the surroundings of this site, and how it is."""

import time
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np

from alerting import heights
from alerting.api import dto
from alerting.engine import Engine
from alerting.hazards import sums
from alerting.settings import CentreSettings
from alerting.site import Site
from ingest.derivation.courier import Courier
from ingest.derivation.stage import Stage
from ingest.derived.rules import Rule, load_rules
from ingest.derived.surroundings import Surroundings
from ingest.service import Ingest
from telemetry.clock import Clock
from telemetry.topics import DERIVED

_SHOWN: Final = 5


def rules_of(settings: CentreSettings, folder: Path) -> tuple[Rule, ...]:
    """The built-in rules and those that the settings name; raises SettingsError."""
    return load_rules(tuple(folder / name for name in settings.derived))


def surroundings_of(site: Site, folder: Path) -> Surroundings:
    """What the site file says, which stands in ``folder``; raises SettingsError."""
    return heights.surroundings(site.timezone, site.datum, site.datums, site.tides, folder)


def make_stage(
    settings: CentreSettings, folder: Path, ingest: Ingest, engine: Engine, clock: Clock, rng: np.random.Generator
) -> Stage:
    """The stage of one centre, not started yet; raises SettingsError."""
    site_folder = (folder / settings.site).parent
    state = folder / settings.state.path
    return Stage(
        store=ingest.store,
        catalogue=ingest.catalogue,
        admission=ingest.admission,
        courier=Courier(f"{engine.site.id}/{DERIVED}", ingest.intake, ingest.store, rng),
        window=engine.window,
        kept=sums(),
        clock=clock,
        rules=rules_of(settings, folder),
        surroundings=surroundings_of(engine.site, site_folder),
        cursor_path=state.with_name("derived.json"),
        monotonic_s=time.monotonic,
    )


def derived_part(stage: Stage) -> dto.Part:
    """Derived series as a part of the health: degraded while the store can't be read, or takes no rows."""
    figures, left_out = stage.figures, stage.plan.left_out
    reasons = Counter(why for _, why in left_out)
    shown = "; ".join(f"{why} ({n} series)" for why, n in reasons.most_common(_SHOWN))
    return dto.Part(
        status=dto.Condition.DEGRADED if figures.problem or stage.courier.lost_rows else dto.Condition.OK,
        detail=figures.problem or (f"not derived: {shown}" if shown else "everything that the rules ask for"),
        figures={
            "series": figures.series,
            "rows": figures.rows,
            "left_out": len(left_out),
            "owed_members": stage.owed.members,
            "computed_again": figures.again,
            "lost_rows": stage.courier.lost_rows,
            "last_tick_ms": round(1000 * figures.took_s),
        },
    )
