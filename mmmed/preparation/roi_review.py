"""Oddities of prepared lesions that a person should look at.

Not here: what could not be read at all (``roi_layouts``, ``roi_conversion``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmmed.preparation.findings import Finding
from mmmed.structures import ROICase

# A window that the values fill less than this is in another unit.
_LEAST_FILLED = 0.05


def review_sequences(cases: Sequence[ROICase]) -> list[Finding]:
    """Sequences that were left out, and those without contrast."""
    findings = []
    for case in cases:
        for lost in case.extra['source'].get('lost', []):
            text = f'{lost["file"]} was left out: {lost["problem"]}'
            findings.append(Finding(case.case_id, text, lost['remedy']))
        for name, facts in case.extra['intensity'].items():
            if not facts['std'] > 0:
                text = f'all voxels of {name} are alike'
                remedy = 'see whether its file is damaged'
                findings.append(Finding(case.case_id, text, remedy, skipped=False))
    return findings


def review_windows(
    cases: Sequence[ROICase], rules: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    """Fixed windows that the values hardly touch: those are in another unit."""
    findings = []
    for name, rule in rules.items():
        facts = [c.extra['intensity'][name] for c in cases if name in c.img_paths]
        if rule['rule'] != 'window' or not facts:
            continue
        low = min(f['percentiles'][1] for f in facts)
        high = max(f['percentiles'][-2] for f in facts)
        shown = min(high, rule['high']) - max(low, rule['low'])
        if shown < _LEAST_FILLED * (rule['high'] - rule['low']):
            text = (
                f'values of {name} from {low:g} to {high:g} do not fit its window '
                f'{rule["low"]:g} to {rule["high"]:g}'
            )
            remedy = f'set --normalize {name}=window:LOW:HIGH in the unit of the files'
            findings.append(Finding('.', text, remedy, skipped=False))
    return findings


def review_targets(cases: Sequence[ROICase], names: Sequence[str]) -> list[Finding]:
    """Targets of which nothing can be learned."""
    findings = []
    for name in names:
        labels = {case.targets[name] for case in cases} - {None}
        if len(labels) == 1:
            text = f'all known labels of {name!r} are {labels.pop()}'
            remedy = 'nothing can be learned of it; choose other --targets'
            findings.append(Finding('.', text, remedy, skipped=False))
    return findings
