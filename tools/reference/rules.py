"""docs/reference/rules.md: what rules can compare, hazard by hazard, and the packs of the product."""

from alerting.hazards import hazards
from alerting.metric import Hazard, Metric
from alerting.rules import load_packs
from alerting.rules.packs import Condition, Pack, Rule
from alerting.site import LEVEL_NAMES
from tools.reference import text

_CONFIDENCE = {
    "text": "read in the published text",
    "scan": "read in a scan",
    "corroborated": "two sources agree",
    "single-source": "one source",
    "illustrative": "ours, for demonstration",
}


def page() -> str:
    """The page as it should be."""
    intro = (
        "A rule pack is one YAML file ([its keys](settings.md#rule-pack), "
        "[how to write one](../howto/write-a-rule-pack.md)). A hazard is what rules are about; its metrics are what "
        "they can compare. A metric with a window needs `window` in the condition; *lower bound* means that an "
        "incomplete value can reach a threshold and never miss one."
    )
    head = text.head("Hazards and rule packs", "`alerting/hazards` and `alerting/packs`", intro)
    packs = load_packs().packs
    return head + "\n## Hazards\n" + "".join(map(_hazard, hazards().values())) + "".join(map(_pack, packs))


def _hazard(hazard: Hazard) -> str:
    rows = map(_metric, hazard.metrics)
    return (
        f"\n### {hazard.id}\n\n{hazard.name.en} ({hazard.name.zh}); alarms are about a {hazard.subject}.\n\n"
        + text.table(("metric", "meaning", "unit", "made of", "window"), rows)
    )


def _metric(metric: Metric) -> tuple[str, ...]:
    window = ("yes" if metric.windowed else "no") + (", lower bound" if metric.bound else "")
    return f"`{metric.name}`", f"{metric.text.en} {metric.text.zh}", metric.unit, ", ".join(metric.inputs), window


def _pack(pack: Pack) -> str:
    head = pack.head
    facts = (
        f"{head.issuer.en} ({head.issuer.zh}). In force from {head.valid_from}. Source: {head.source}; "
        f"{_CONFIDENCE[head.confidence]}."
    )
    note = f" {head.note.strip()}" if head.note else ""
    rows = map(_rule, pack.rules)
    columns = ("rule", "level", "when", "lowered after")
    return f"\n## {head.id}, {head.edition}\n\n{facts}{note}\n\n" + text.table(columns, rows)


def _rule(rule: Rule) -> tuple[str, ...]:
    level = LEVEL_NAMES[rule.level]
    when = "; or ".join(" and ".join(_condition(one) for one in group.all) for group in rule.any)
    return f"`{rule.id}` {rule.name.en} {rule.name.zh}", f"{level.en} {level.zh}", when, rule.hold


def _condition(condition: Condition) -> str:
    window = "" if condition.window is None else f" over {condition.window}"
    limit = f"the site's `{condition.site}`" if condition.value is None else f"{condition.value:g} {condition.unit}"
    back = f", hysteresis {condition.hysteresis:g}" if condition.hysteresis else ""
    return f"`{condition.metric}`{window} {condition.op} {limit}{back}"
