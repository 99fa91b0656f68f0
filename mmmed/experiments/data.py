"""Data of an experiment: data sets, and what happens to their pictures.

Not here: single random steps (``steps``), loaders (``loaders``).
"""

import re
from dataclasses import dataclass, field
from typing import Any

from mmmed.experiments.models import ModelPart
from mmmed.experiments.section import Report, Section, simplify_name
from mmmed.experiments.steps import COVERED, Step, convert_step

Config = dict[str, Any]
_SYNTHESIS = ('lesionaug', 'mslesionaug', 'lesionaugmentor')


@dataclass
class DataPart:
    """Data sets and what happens to their pictures.

    Args:
        roots: Prepared folder of each data set.
        random: Steps of training, in order.
        size: Pixels a side in the end; None unknown.
        synthesizes: Whether lesions are made on the way.
    """

    roots: list[str] = field(default_factory=list)
    random: list[Step] = field(default_factory=list)
    size: int | None = None
    synthesizes: bool = False


def convert_data(section: Section, part: ModelPart, report: Report) -> DataPart:
    """Data sets and steps.

    Args:
        section: ``data`` of the experiment.
        part: The model.
        report: Takes what the user should know.

    Raises:
        ValueError: There is no data set, or a parameter is impossible.
    """
    data = DataPart(size=part.size)
    listed = section.take('dataset')
    if not isinstance(listed, dict) or not listed:
        raise ValueError(
            f'{section.path("dataset")}: {str(listed)[:60]!r}, expected data sets by '
            'name'
        )
    for name, values in listed.items():
        source = Section(values, f'{section.path("dataset")}.{name}', report)
        data.roots.append(_convert_source(source, name, part, report))
    _convert_steps(section.take_list('preprocess'), data, part, report)
    for name in ('batch_preprocess', 'postprocess'):
        for step in section.take_list(name):
            _check_covered(step, report)
    section.close()
    if data.size is None:
        report.note(
            section.key, 'says no size: slices keep theirs, so batches hold one'
        )
    return data


def _convert_source(source: Section, name: str, part: ModelPart, report: Report) -> str:
    """Prepared folder of one data set."""
    path = str(source.take('path') or name)
    source.skip('driver')
    crawler = source.take_section('crawler')
    kind = simplify_name(crawler.take('name'))
    crawler.skip('params')
    if kind not in ('file', 'segmentationfile'):
        report.unmatched(crawler.path('name'), f'no reader {kind!r} of raw data here')
    root = f'data/{_to_word(name)}'
    subject = 'picture-classes' if part.is_classifier else 'spine'
    command = (
        f'python tools/prepare_dataset.py {subject} RAW --out {root} --target '
        f'{part.target}'
    )
    text = f'{path!r} is prepared once: {command}'
    if '\\' in path or path[1:2] == ':':
        report.mended(source.path('path'), f'a path of one computer; {text}')
    else:
        report.note(source.path('path'), text)
    for step in source.take_list('pipeline'):
        step_name = simplify_name(step.take('name'))
        params = step.take_section('params')
        step.skip('phase', 'target')
        if step_name == 'shuffle':
            params.skip('seed')
        elif step_name == 'simplesampling':
            share = params.take_number('n', 1.0)
            params.skip('phase', 'target', 'shuffle', 'seed')
            if share != 1:
                report.unmatched(
                    step.key,
                    f'a share of {share:g} of the cases: set '
                    'train_dataloader.dataset.indices=N',
                )
        else:
            report.unmatched(step.key, f'no step {step_name!r} here')
        params.close()
    source.close()
    return root


def _to_word(name: str) -> str:
    """A name as part of a path that cannot lead elsewhere."""
    return re.sub(r'[^A-Za-z0-9_-]+', '_', name).strip('_') or 'dataset'


def _convert_steps(
    steps: list[Section], data: DataPart, part: ModelPart, report: Report
) -> None:
    # Behind a step that resizes, pictures have its size; before the first, one that
    # makes sense with it: pictures of class folders come in the size of the network.
    side = next((s for s in map(_peek_size, steps) if s), data.size)
    for step in steps:
        name = str(step.take('name'))
        key = simplify_name(name.split('.')[-1])
        params = step.take_section('params')
        phases = _take_words(step, 'phase')
        targets = _take_words(step, 'target')
        if key == 'resize':
            side = _read_size(params)
            data.size = side
            _note_proportions(step, report)
        elif key in COVERED:
            step.take('params')
            params = Section(None, params.key, report)
        elif key in _SYNTHESIS:
            _read_synthesis(params, data, part, phases, report)
        elif phases is not None and 'train' not in phases:
            report.mended(
                step.key, f'{name} in {phases} only would blur the scores; left out'
            )
            continue
        else:
            built = convert_step(name, params, side)
            if built is None:
                report.unmatched(step.key, f'no transform {name!r} here')
                continue
            _check_phases(step, name, phases, report)
            _check_targets(step, name, built, targets, part, report)
            data.random.append(built)
        params.close('the transform has no such option here')
        step.close()


def _peek_size(step: Section) -> int | None:
    """Size that a step resizes to, which stays unread; None for any other step."""
    if simplify_name(str(step.peek('name')).split('.')[-1]) != 'resize':
        return None
    params = step.peek('params')
    return _read_size(Section(params, f'{step.key}.params', step.report))


def _take_words(step: Section, name: str) -> list[str] | None:
    """Words of a list, or one; None where nothing is said."""
    value = step.take(name)
    if value is None or isinstance(value, list):
        return value
    return [str(value)]


def _read_size(params: Section) -> int:
    size = params.take('size')
    if isinstance(size, list) and size:
        size = size[0]
    height = (
        size
        if isinstance(size, int)
        else params.take_number('height', low=8, high=4096, whole=True)
    )
    width = params.take_number('width', height, low=8, high=4096, whole=True)
    params.skip('interpolation', 'antialias', 'p', 'always_apply')
    return max(int(height), int(width))


def _note_proportions(step: Section, report: Report) -> None:
    report.mended(
        step.key,
        'would distort pictures that are not square; mmmed.FitSlice keeps proportions',
    )


def _read_synthesis(
    params: Section,
    data: DataPart,
    part: ModelPart,
    phases: list[str] | None,
    report: Report,
) -> None:
    data.synthesizes = True
    if part.is_classifier:
        raise ValueError(f'{params.key}: lesions are made for masks, not for classes')
    for name in params.list_names():
        params.skip(name)
        report.unmatched(
            params.path(name),
            'lesions are drawn in mm here; see recipe of mmmed.SynthesizeCordLesions',
        )
    if phases is None or set(phases) != {'train'}:
        report.mended(
            params.key, 'lesions of validation and test cases are the same every time'
        )


def _check_phases(
    step: Section, name: str, phases: list[str] | None, report: Report
) -> None:
    if phases is not None and set(phases) - {'train'}:
        report.mended(step.key, f'{name} is random: in training only')


def _check_targets(
    step: Section,
    name: str,
    built: Step,
    targets: list[str] | None,
    part: ModelPart,
    report: Report,
) -> None:
    """Geometry moves image and label map; grey values are the image's."""
    if part.is_classifier or targets is None:
        return
    is_geometry = built['type'] in (
        'mmmed.RandomFlipSlice',
        'mmmed.RandomPoseSlice',
        'mmmed.RandomCropResizeSlice',
        'mmmed.RandomElasticSlice',
        'mmmed.RandomGridSlice',
        'mmmed.RandomLensSlice',
    )
    if is_geometry and 'label' not in targets:
        report.mended(step.key, f'{name} of the image alone; label maps move along')
    elif not is_geometry and 'label' in targets:
        report.mended(step.key, f'{name} of a label map makes no sense; image only')


def _check_covered(step: Section, report: Report) -> None:
    name = str(step.take('name'))
    step.skip('params', 'target', 'phase')
    if simplify_name(name.split('.')[-1]) not in COVERED:
        report.unmatched(step.key, f'no step {name!r} of batches or predictions here')
    step.close()
