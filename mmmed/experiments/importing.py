"""One experiment of the spinal cord project to one config.

Not here: parts of it (``models``, ``data``, ``training``).
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.experiments.callbacks import convert_loggers
from mmmed.experiments.data import convert_data
from mmmed.experiments.loaders import convert_loaders, convert_metrics
from mmmed.experiments.models import ModelPart, convert_model
from mmmed.experiments.reading import ExperimentReader
from mmmed.experiments.section import Report, Section
from mmmed.experiments.text import write_config_text
from mmmed.experiments.training import convert_trainer
from mmmed.files import write_text_atomic

Config = dict[str, Any]


@dataclass(frozen=True)
class ImportCall:
    """What is imported, and how.

    Args:
        path: YAML of the experiment.
        out: Config to write.
        bases: Folder of our base files, ``configs/_base_``.
        root: Folder that the YAML and all files that it names lie in; None for its
            own folder.
        target: What the network answers; None to tell by names.
        plane: Of slices with masks.
    """

    path: Path
    out: Path
    bases: Path
    root: Path | None = None
    target: str | None = None
    plane: str = 'sagittal'


def import_experiment(
    call: ImportCall, *, strict: bool = False, dry_run: bool = False
) -> tuple[Report, bool]:
    """Write the config of an experiment.

    Args:
        call: What, and how.
        strict: Write nothing if a key has no counterpart.
        dry_run: Write nothing at all.

    Returns:
        What the user should know, keys without a counterpart among it, and whether
        the config was written.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: A file is no experiment, or asks for what cannot be.
    """
    reader = ExperimentReader(call.root or call.path.parent)
    values = reader.read(call.path)
    report = Report()
    for key, file in reader.absent:
        report.mended(key, f'{file!r} is absent; data/ and work_dirs/ are used')
    config, bases = convert_experiment(values, call, report)
    text = write_config_text(
        config,
        bases=[_find_base(call, name) for name in bases],
        title=f'Imported from {call.path.name}, an experiment of the cord project.',
        comments=_list_comments(call, report),
    )
    is_written = not dry_run and not (strict and report.select('unmatched'))
    if is_written:
        call.out.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomic(call.out, text)
    return report, is_written


def convert_experiment(
    values: Config, call: ImportCall, report: Report
) -> tuple[Config, list[str]]:
    """Config and the names of its base files, relative to theirs.

    Args:
        values: The experiment, all files in place.
        call: How.
        report: Takes what the user should know.

    Raises:
        ValueError: A part is absent or impossible.
    """
    top = Section(values, '', report)
    project = str(top.take('project_name') or 'spinal_cord')
    given = top.take('experiment_name')
    if given not in (None, call.path.stem):
        report.note('experiment_name', f'the name of the file is taken, not {given!r}')
    seed = top.take_number('seed', 0, high=2**31 - 1, whole=True)
    _read_folders(top, report)
    model, data, trainer = (
        top.take_section(name) for name in ('model', 'data', 'trainer')
    )
    part = convert_model(
        model, hint=_find_hint(call, data), target=call.target, report=report
    )
    slices = convert_data(data, part, report)
    loaders = convert_loaders(trainer, slices, part, call.plane, report)
    training = convert_trainer(trainer, part, report)
    config = {
        'model': part.model,
        'randomness': {'seed': seed},
        **loaders,
        **convert_metrics(top.take_list('metric'), part, report),
        **{name: value for name, value in training.items() if name != 'custom_hooks'},
        **_build_hooks(part, training['custom_hooks']),
        'visualizer': {
            'vis_backends': convert_loggers(
                top.take_list('logger'),
                project=project,
                name=call.path.stem,
                report=report,
            )
        },
    }
    for section in (model, trainer, top):
        section.close()
    runtime = 'cls_runtime' if part.is_classifier else 'default_runtime'
    return config, [f'models/{part.base}.py', f'{runtime}.py']


def _build_hooks(part: ModelPart, hooks: list[Config]) -> Config:
    """Hooks of the experiment beside those that describe a checkpoint."""
    if part.is_classifier:
        described = [
            {'type': f'mmmed.{name}'}
            for name in (
                'ClassBalanceHook',
                'ClassificationRecordHook',
                'CalibrationHook',
                'SelfDescriptionHook',
            )
        ]
    else:
        described = [{'type': 'mmmed.SegmentationDescriptionHook'}]
    return {'custom_hooks': [*described, *hooks]}


def _read_folders(top: Section, report: Report) -> None:
    folders = top.take('directory')
    if folders is None:
        return
    section = Section(folders, 'directory', report)
    for name in ('log', 'weights', 'data'):
        value = section.take(name)
        if value:
            report.note(
                section.path(name),
                f'{value!r}: data/ for data, work_dirs/ for logs and weights here',
            )
    if section.take('model'):
        report.note(section.path('model'), 'no code is read from a folder')
    section.close()


def _find_hint(call: ImportCall, data: Section) -> str:
    """Names that tell what an experiment is about, the most telling first."""
    sets = data.peek('dataset')
    names = ' '.join(sets) if isinstance(sets, dict) else ''
    return f'{call.path.stem} {call.path.parent.name} {names}'


def _find_base(call: ImportCall, name: str) -> str:
    base = call.bases / name
    if not base.is_file():
        raise FileNotFoundError(
            f'{base}: no such base file; run from the repository or give --bases'
        )
    return Path(os.path.relpath(base.resolve(), call.out.resolve().parent)).as_posix()


def _list_comments(call: ImportCall, report: Report) -> list[str]:
    comments = ['Command: mim train mmseg THIS_FILE']
    titles = {
        'unmatched': 'Without a counterpart',
        'mended': 'Mended',
        'note': 'Done otherwise',
    }
    for kind, title in titles.items():
        comments += [f'{title}: {finding}' for finding in report.select(kind)]
    return comments
