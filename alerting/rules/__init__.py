"""Rule packs: published thresholds as data, checked, tested by their own cases, and compiled to dense arrays."""

from alerting.rules.compiled import OPS, Compiled, Verdict, compile_rules
from alerting.rules.packs import Pack, Rule, load_pack, span_minutes
from alerting.rules.rulebook import Rulebook, load_packs
from alerting.rules.testing import Finding, run_pack_tests

__all__ = [
    "OPS",
    "Compiled",
    "Finding",
    "Pack",
    "Rule",
    "Rulebook",
    "Verdict",
    "compile_rules",
    "load_pack",
    "load_packs",
    "run_pack_tests",
    "span_minutes",
]
