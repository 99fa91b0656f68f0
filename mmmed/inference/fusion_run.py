"""Many scans fused: resumable, one bad scan never stops it; weights fitted on them.

Not here: one scan (``fusion_job``), tables and figures of a finished folder
(``mmmed.reporting.fusion_report``).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmmed.files import hash_file, hash_json, write_csv_atomic, write_json_atomic
from mmmed.functional.fusion_fitting import fit_weights
from mmmed.inference.case_store import make_printable, remove_leftovers
from mmmed.inference.fusion_job import FusionJob, FusionOptions, read_combos
from mmmed.inference.fusion_scans import FusionScan
from mmmed.inference.plane_fusion import PlaneFusion
from mmmed.inference.registration import find_template, read_template
from mmmed.inference.run import RunOutcome
from mmmed.progress import Progress
from mmmed.structures import Volume
from mmmed.structures.run_record import RunRecord, hash_config
from mmmed.version import __version__

# Raise when the masks made from the same scan, weights and options change.
_FORMAT = 1
_log = logging.getLogger(__name__)


def fuse_scans(
    fusion: PlaneFusion,
    scans: Sequence[FusionScan],
    out: str | Path,
    options: FusionOptions | None = None,
    *,
    template: str | Path | None = None,
    register: bool = False,
) -> RunOutcome:
    """Fuse every scan and write the results.

    A scan that is finished (same networks, rule, options and scan, files unchanged)
    is skipped.

    Args:
        fusion: See :func:`mmmed.inference.plane_fusion.load_fusion`.
        scans: Of this and all other parts.
        out: Results folder, see :mod:`mmmed.inference.fusion_job`.
        options: See :class:`FusionOptions`.
        template: T1 to register to; None takes the embedded one.
        register: Whether scans are brought to the training grid.

    Returns:
        What was done; failed scans carry their error.

    Raises:
        ValueError: ``out`` holds results of other settings, or is a file, or the
            template cannot be used.
        ImportError: A package for registration is absent.
    """
    options = options or FusionOptions()
    out = Path(out)
    if out.is_file():
        raise ValueError(f'{out} is a file; results need a folder')
    image, template_hash = (
        _load_template(fusion, template) if register else (None, None)
    )
    settings = describe_fusion(fusion, options, template_hash)
    settings_hash = hash_json(settings)
    chosen = _select_part(scans, options)
    jobs = [
        FusionJob(scan, fusion, out, settings_hash, options, image) for scan in chosen
    ]
    if not options.overwrite:
        for job in jobs:
            job.store.check_settings(settings_hash)
    outcome = RunOutcome(out)
    if options.dry_run:
        outcome.cases.extend(job.plan() for job in jobs)
        return outcome
    record = RunRecord.start(config={'fusion': settings})
    _write_record(record, outcome, settings, options)
    with Progress('Fusing', len(jobs), 'scan', quiet=options.quiet) as progress:
        for job in jobs:
            report = job.run()
            outcome.cases.append(report)
            _tell(report)
            progress.step()
    record.finish()
    _write_record(record, outcome, settings, options)
    return outcome


def fit_fusion(fusion: PlaneFusion, out: Path, path: Path) -> dict[str, Any]:
    """Fit weights and threshold on all tables of a results folder.

    Args:
        fusion: Names the planes, in the order of the tables.
        out: Results folder; several folds may have written into it.
        path: JSON file of rule, weights and threshold that ``--weights-file`` reads.

    Returns:
        What was written.

    Raises:
        ValueError: There is no table, or no lesion in any.
    """
    tables = [read_combos(one) for one in sorted((out / 'combos').glob('*.npz'))]
    if not tables:
        raise ValueError(f'{out} holds no predictions with a reference to fit on')
    fitted = fit_weights(tables)
    values = {
        'schema_version': 1,
        'rule': 'weighted',
        'threshold': fitted.threshold,
        'weights': dict(zip(fusion.planes, fitted.weights, strict=True)),
        'dice_fitted': fitted.dice,
        'dice_mean_rule': fitted.mean_dice,
        'subjects': fitted.num_subjects,
    }
    write_json_atomic(path, values)
    return values


def describe_fusion(
    fusion: PlaneFusion, options: FusionOptions, template_hash: str | None
) -> dict[str, Any]:
    """Everything beside the scan that decides what is written."""
    planes = {
        plane: {
            'recipe': loaded.recipe.to_dict(),
            'weights_sha256': [digest for _, digest in loaded.weights],
            'model_sha256': None
            if loaded.config is None
            else hash_config({'model': loaded.config['model']}),
        }
        for plane, loaded in fusion.planes.items()
    }
    return {
        'format': _FORMAT,
        'planes': planes,
        **fusion.rule.to_dict(),
        'grid': None if fusion.grid is None else fusion.grid.to_dict(),
        'template_sha256': template_hash,
        'bf16': fusion.use_bf16,
        'save_prob': options.save_prob,
        'save_combos': options.save_combos,
    }


def _load_template(
    fusion: PlaneFusion, template: str | Path | None
) -> tuple[Volume, str]:
    if fusion.grid is None:
        raise ValueError(
            'the checkpoints do not say on which grid the networks learned; give a '
            'scan of the training data with --grid'
        )
    path = Path(template) if template else find_template()
    return read_template(path, fusion.grid), hash_file(path)


def _select_part(
    scans: Sequence[FusionScan], options: FusionOptions
) -> list[FusionScan]:
    if not 0 <= options.part_id < options.num_parts:
        raise ValueError(
            f'part {options.part_id} of {options.num_parts}, expected 0 <= --part-id < '
            '--num-parts'
        )
    return list(scans[options.part_id :: options.num_parts])


def _write_record(
    record: RunRecord,
    outcome: RunOutcome,
    settings: Mapping[str, Any],
    options: FusionOptions,
) -> None:
    """``run.json`` and ``cases.csv``, with the part in their names if there are."""
    part = ''
    if options.num_parts > 1:
        part = f'-part{options.part_id}of{options.num_parts}'
    facts = {
        **asdict(record),
        'fusion': {
            'mmmed': __version__,
            'settings_sha256': hash_json(settings),
            'settings': settings,
            'summary': {**outcome.summarize(), 'out': '.'},
        },
    }
    paths = outcome.out / f'run{part}.json', outcome.out / f'cases{part}.csv'
    remove_leftovers(paths)
    write_json_atomic(paths[0], make_printable(facts))
    write_csv_atomic(paths[1], [_make_row(report) for report in outcome.cases])


def _make_row(report: Mapping[str, Any]) -> dict[str, Any]:
    row = {'case_id': report['case_id'], 'status': report['status']}
    for name, one in (report.get('classes') or {}).items():
        row[f'volume_ml_{name}'] = one['volume_ml']
        row[f'components_{name}'] = one['components']
    for plane, one in (report.get('planes') or {}).items():
        row[f'volume_ml_{plane}'] = one['volume_ml']
    return {
        **row,
        'seconds': (report.get('timings_s') or {}).get('total'),
        'warnings': len(report.get('warnings') or ()),
        'error': report.get('error'),
    }


def _tell(report: Mapping[str, Any]) -> None:
    name = report['case_id']
    if report['status'] == 'failed':
        _log.error('%s: failed: %s', name, report['error'])
    elif report['status'] == 'skipped':
        _log.info('%s: finished already', name)
    else:
        for text in report.get('warnings') or ():
            _log.warning('%s: %s', name, text)
        lesion = report['classes']['lesion']
        _log.info(
            '%s: %.2f ml in %d component(s) (%.1f s)',
            name,
            lesion['volume_ml'],
            lesion['components'],
            report['timings_s']['total'],
        )
