"""What ``tools/synthesize.py`` does with scans, up to figures.

Not here: finding scans (``organ_scans``), drawing (``mmmed.reporting``).
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmmed.files import write_json_atomic
from mmmed.preparation.findings import InputError
from mmmed.preparation.organ_scans import LoadedScan, OrganScan, read_organ_scan
from mmmed.preparation.organ_statistics import (
    fit_tumor_prior,
    list_tumors,
    measure_organ,
    summarize_organs,
    summarize_tumors,
)
from mmmed.preparation.synthetic_set import generate_set, make_seed
from mmmed.progress import Progress
from mmmed.synthesis import read_prior
from mmmed.synthesis.specification import SynthesisSpec

logger = logging.getLogger('mmmed.preparation')
VERBS = ('preview', 'generate', 'calibrate', 'fit-prior', 'analyze')


@dataclass
class VerbResult:
    """What came of it.

    Args:
        summary: JSON-able.
        errors: Name of each scan that failed, and why.
        panels: Of a preview: name, image, label, spacing.
        rows: Of real tumors.
    """

    summary: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)
    panels: list[tuple[Any, ...]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0, or 3 if some scans failed."""
        return 3 if self.errors else 0


def run_verb(
    verb: str, scans: Sequence[OrganScan], options: Mapping[str, Any]
) -> VerbResult:
    """Run one verb over scans.

    Args:
        verb: One of ``VERBS``.
        scans: At least one.
        options: Of the command line: ``out``, ``organ``, ``recipe``, ``type``,
            ``prior``, ``count``, ``seeds``, ``components``, ``kind``, ``min_voxels``,
            ``seed``, ``workers``, ``quiet``.

    Raises:
        InputError: No scan can be used, or a number or name is wrong.
    """
    result = _RUN[verb](scans, options)
    result.summary |= {'failed': len(result.errors)}
    return result


def _generate(scans: Sequence[OrganScan], options: Mapping[str, Any]) -> VerbResult:
    names = ('count', 'seed', 'workers', 'quiet')
    made = generate_set(
        scans, options['out'], _make_spec(options), **{n: options[n] for n in names}
    )
    lesions = sum(len(case['lesions']) for case in made.cases)
    empty = sum(case['outcome'] != 'ok' for case in made.cases)
    summary = {'out': str(options['out']), 'cases': len(made.cases),
               'lesions': lesions, 'without_lesion': empty}  # fmt: skip
    return VerbResult(summary, made.errors)


def _preview(scans: Sequence[OrganScan], options: Mapping[str, Any]) -> VerbResult:
    if options['seeds'] < 1:
        raise InputError(f'--seeds is {options["seeds"]}, expected 1 or more')
    spec, result = _make_spec(options), VerbResult({})
    # One scan is enough to look at; a broken one is passed over.
    for name, loaded in _read_all(scans, result, quiet=True):
        result.panels = list(_make_panels(name, loaded, spec, options))
        result.summary = {'scan': name, 'panels': len(result.panels)}
        break
    return _check(result, scans)


def _make_panels(
    name: str, loaded: LoadedScan, spec: SynthesisSpec, options: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    volume = loaded.volume
    types = spec.types if spec.lesion_type is None else (spec.lesion_type,)
    for kind in types:
        for k in range(options['seeds']):
            seed = make_seed(options['seed'], name, k)
            made = replace(spec, lesion_type=kind).make(
                volume.array, loaded.mask, volume.spacing, seed
            )
            count = len(made.lesions)
            what = f'{count} lesion' + 's' * (count != 1)
            title = f'{kind}, {what if made.outcome == "ok" else made.outcome}'
            yield title, made.image, made.label, volume.spacing


def _calibrate(scans: Sequence[OrganScan], options: Mapping[str, Any]) -> VerbResult:
    result = VerbResult({})
    rows = []
    for name, loaded in _read_all(scans, result, quiet=options['quiet']):
        try:
            rows.append(measure_organ(name, loaded))
        except ValueError as error:
            result.errors[name] = str(error)
    if not rows:
        return _check(result, scans)
    value = summarize_organs(rows, options['organ'])
    write_json_atomic(_name_json(options['out']), {**value, 'errors': result.errors})
    result.summary = {
        'out': str(options['out']), 'scans': len(rows),
        **{k: round(value[k]['mean'], 2) for k in ('level_hu', 'noise_hu')},
    }  # fmt: skip
    return result


def _fit(scans: Sequence[OrganScan], options: Mapping[str, Any]) -> VerbResult:
    path = _name_json(options['out'])
    result = _list(scans, options)
    prior = fit_tumor_prior(
        result.rows, components=options['components'], kind=options['kind'],
        seed=options['seed'],
    )  # fmt: skip
    facts = {'organ': options['organ'], 'tumors': len(result.rows)}
    write_json_atomic(path, {**prior.to_json(), **facts})
    result.summary = {'out': str(path), **facts}
    return result


def _list(scans: Sequence[OrganScan], options: Mapping[str, Any]) -> VerbResult:
    result = VerbResult({})
    names = []
    for name, loaded in _read_all(scans, result, quiet=options['quiet']):
        names.append(name)
        result.rows += list_tumors(name, loaded, min_voxels=options['min_voxels'])
    result.summary = summarize_tumors(result.rows, names)
    return _check(result, scans)


def _read_all(
    scans: Sequence[OrganScan], result: VerbResult, *, quiet: bool
) -> Iterator[tuple[str, LoadedScan]]:
    """Scans that can be read, one in memory at a time; the others become errors."""
    with Progress('Reading', len(scans), 'scan', quiet=quiet) as progress:
        for scan in scans:
            try:
                loaded = read_organ_scan(scan)
            except (OSError, ValueError) as error:
                result.errors[scan.name] = str(error)
                logger.error('%s', error)
            else:
                yield scan.name, loaded
            progress.step()


def _check(result: VerbResult, scans: Sequence[OrganScan]) -> VerbResult:
    if len(result.errors) >= len(scans):
        first = next(iter(result.errors.values()), 'there is none')
        raise InputError(f'no scan could be used; first: {first}')
    return result


def _make_spec(options: Mapping[str, Any]) -> SynthesisSpec:
    prior = None if options['prior'] is None else read_prior(options['prior'])
    return SynthesisSpec(options['recipe'], options['organ'], options['type'], prior)


def _name_json(out: str) -> Path:
    path = Path(out)
    if path.suffix != '.json':
        raise InputError(f'--out {out}: expected a file that ends in .json')
    return path


_RUN: dict[str, Callable[[Sequence[OrganScan], Mapping[str, Any]], VerbResult]] = {
    'preview': _preview,
    'generate': _generate,
    'calibrate': _calibrate,
    'fit-prior': _fit,
    'analyze': _list,
}
