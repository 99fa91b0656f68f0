"""A summary in a few lines for a terminal; not here: the page (``mmmed.reporting``)."""

from collections.abc import Mapping
from typing import Any

_SCORES = {
    'dice': 'Dice',
    'surface_dice': 'surface Dice',
    'hausdorff95_mm': 'HD95',
    'average_surface_distance_mm': 'ASSD',
    'lesion_f1': 'lesion F1',
}
_SHOWN = 5


def format_scores(summary: Mapping[str, Any]) -> list[str]:
    """Lines that say what was scored, and how good it was.

    How many cases were empty, missing or failed is always said.
    """
    failed, lost = summary['failed'], summary['missing_predictions']
    left_out = summary['missing_references']
    lines = [
        f'{summary["num_cases"]} cases scored, {len(failed)} failed, {len(lost)} '
        f'without prediction (scored as missed), {len(left_out)} without reference '
        '(left out)'
    ]
    lines += [f'failed: {one["case_id"]}: {one["error"]}' for one in failed[:_SHOWN]]
    if len(failed) > _SHOWN:
        lines.append(f'failed: and {len(failed) - _SHOWN} more, see summary.json')
    for label, entry in summary['structures'].items():
        lines += _format_structure(label, entry, summary['options'])
    for label, metrics in ((summary['comparison'] or {}).get('structures', {})).items():
        lines += _format_comparison(label, metrics)
    return lines


def _format_structure(
    label: str, entry: Mapping[str, Any], options: Mapping[str, Any]
) -> list[str]:
    empty = entry['empty']
    lines = [
        f'{label}: n {entry["num_cases"]}; empty: {empty["both_empty"]} on both sides '
        f'(no score), {empty["pred_empty"]} in the prediction (missed), '
        f'{empty["target_empty"]} in the reference (false alarm)'
    ]
    if options['empty_policy']['both_empty'] is not None:
        value = options['empty_policy']['both_empty']
        lines[0] = lines[0].replace('(no score)', f'(score {value:g})')
    for metric, title in _SCORES.items():
        score = entry['scores'][metric]
        unit = ' mm' if metric.endswith('_mm') else ''
        if metric == 'surface_dice':
            title += f' at {options["tolerance_mm"]:g} mm'
        lines.append(
            f'  {title}: mean {_show(score["mean"])}{unit} '
            f'[{_show(score["low"])}, {_show(score["high"])}], '
            f'median {_show(score["median"])}, SD {_show(score["sd"])}, n {score["n"]}'
        )
    lesions = entry['lesions']['pooled']
    lines.append(
        f'  lesions: {lesions["found_lesions"]} of {lesions["target_lesions"]} found, '
        f'{lesions["false_positive_lesions"]} false positives '
        f'({_show(lesions["false_positives_per_scan"])} a scan)'
    )
    strata = entry['lesions']['strata']
    if lesions['target_lesions'] or lesions['false_positive_lesions']:
        lines += [_format_stratum(stratum) for stratum in strata]
    if 'slices' in entry:
        lesion, free = entry['slices']['lesion'], entry['slices']['lesion_free']
        lines.append(
            f'  {options["plane"]} slices: {lesion["num_slices"]} with it, mean Dice '
            f'{_show(lesion["scores"]["dice"]["mean"])}; {free["num_slices"]} without, '
            f'{free["num_false_alarms"]} false alarms'
        )
    return lines


def _format_stratum(stratum: Mapping[str, Any]) -> str:
    by_radius = 'low_radius_mm' in stratum
    suffix, unit = ('radius_mm', 'mm') if by_radius else ('mm3', 'mm3')
    low, high = stratum[f'low_{suffix}'], stratum[f'high_{suffix}']
    size = f'{low:g} {unit} and more' if high is None else f'{low:g} to {high:g} {unit}'
    return (
        f'    {"radius" if by_radius else "volume"} {size}: {stratum["found"]} of '
        f'{stratum["lesions"]} found, sensitivity {_show(stratum["sensitivity"])}, '
        f'{stratum["false_alarms"]} false positives'
    )


def _format_comparison(label: str, metrics: Mapping[str, Any]) -> list[str]:
    lines = []
    for metric, title in _SCORES.items():
        entry = metrics[metric]
        lines.append(
            f'{label}, a minus b: {title} {_show(entry["mean_difference"])} '
            f'[{_show(entry["low"])}, {_show(entry["high"])}], n {entry["n"]}, wins '
            f'{entry["wins"]}, ties {entry["ties"]}, losses {entry["losses"]}, '
            f'Wilcoxon p {_show(entry["p_value"])}'
        )
    return lines


def _show(value: float | None) -> str:
    return 'none' if value is None else f'{value:.4g}'
