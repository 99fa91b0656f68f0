"""Any task of the Medical Segmentation Decathlon, or folders that look like one."""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.preparation.decathlon_layout import find_layout
from mmmed.preparation.findings import Finding, InputError
from mmmed.preparation.labelled_case import LabelledCase
from mmmed.preparation.labelled_volumes import LabelledVolumePreparer
from mmmed.preparation.parts import Plan
from mmmed.preparation.synthetic_patients import MANIFEST, read_synthetic_patients
from mmmed.registry import PREPARERS

_BACKGROUND = 'background'
_LABEL = re.compile(r'([^=\s][^=]{0,99})=(\d{1,5})')


@PREPARERS.register_module(name='decathlon')
class DecathlonPreparer(LabelledVolumePreparer):
    """Preparer of decathlon-style folders of scans with label maps.

    Raw folder: ``dataset.json`` with ``imagesTr/`` and ``labelsTr/`` as the Medical
    Segmentation Decathlon publishes them (``imagesTs/`` becomes the split ``test``),
    or just ``images/`` and ``labels/`` with equal names. Each file is one patient,
    unless ``synthetic.json`` of ``tools/synthesize.py`` says whose scan it was made
    from: then all that were made of one are one patient. Folds are stratified by
    labelled volume.

    Args:
        labels: ``name=number`` of each class, e.g. ``('anterior=1', 'posterior=2')``,
            in place of those of ``dataset.json``; classes count from 1 in this order.
        modality: Name of each channel, e.g. ``('CT',)``; ``'CT'`` says that values
            are CT numbers.
        with_test: Also convert the images without labels.
        **options: See :class:`LabelledVolumePreparer`.

    Source:
        Layout and ``dataset.json``: Antonelli et al. 2022,
        doi:10.1038/s41467-022-30695-9.
    """

    name = 'decathlon'
    classes: tuple[str, ...] = (_BACKGROUND, 'foreground')
    help = 'images and label maps as in the Medical Segmentation Decathlon'

    def __init__(
        self,
        *,
        labels: Sequence[str] = (),
        modality: Sequence[str] = (),
        with_test: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.labels = parse_labels(labels)
        self.modality = tuple(modality)
        self.with_test = with_test
        self.dataset = self.name

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of decathlon-style folders on the command line."""
        text = 'classes, e.g. anterior=1 posterior=2 (default: dataset.json)'
        add('--labels', nargs='+', default=(), metavar='NAME=N', help=text)
        text = 'name of each channel, e.g. CT (default: dataset.json)'
        add('--modality', nargs='+', default=(), metavar='NAME', help=text)
        text = 'also convert images without labels, as split "test"'
        add('--with-test', action='store_true', help=text)
        super().add_arguments(add)

    def discover(self, raw: Path) -> Plan:
        """Pair the files, and find out what the labels mean; no image is opened."""
        layout = find_layout(raw)
        labels = self.labels or {n: t for n, t in layout.labels.items() if n}
        if not labels:
            raise InputError(
                f'{raw}: nothing says what the labels mean; give --labels, such as '
                'anterior=1 posterior=2'
            )
        if len(set(labels.values()) | {_BACKGROUND}) != len(labels) + 1:
            raise InputError(
                f'{raw}: two labels of the same name in {sorted(labels.values())}; '
                'name them with --labels'
            )
        self.classes = (_BACKGROUND, *labels.values())
        modality = self.modality or layout.modality or ('image',)
        self.channel_names = name_channels(modality)
        self.is_hu = modality == ('CT',)
        self.dataset = _slug(layout.name) or self.name
        numbers = {number: index for index, number in enumerate(labels, 1)}
        pairs = [p for p in layout.pairs if p[2] is not None or self.with_test]
        inputs, findings = layout.inputs, layout.findings
        patients = read_synthetic_patients(raw)
        if patients is None:
            patients = {name: name for name, *_ in pairs}
        else:
            inputs += (raw / MANIFEST,)
            findings += _find_strangers(raw, pairs, patients)
        cases = [
            LabelledCase(name, patients[name], self.dataset, image, label, numbers)
            for name, image, label in pairs
            if name in patients
        ]
        return self.plan(raw, cases, findings=findings, inputs=inputs)

    def describe(self, plan: Plan) -> Mapping[str, Any]:
        """Facts for the manifest, among them the data set's own name."""
        return {**super().describe(plan), 'dataset': self.dataset}


def parse_labels(texts: Sequence[str]) -> dict[int, str]:
    """Names by number of ``('anterior=1', 'posterior=2')``.

    Raises:
        InputError: Another form, number 0, or a name or number twice.
    """
    labels: dict[int, str] = {}
    for text in texts:
        match = _LABEL.fullmatch(text)
        number = int(match[2]) if match else 0
        if match is None or not 0 < number < 1 << 16:
            raise InputError(f'--labels {text!r}, expected a name and number: liver=1')
        if number in labels or match[1] in labels.values():
            raise InputError(f'--labels {text!r}: name or number is there twice')
        labels[number] = match[1]
    return labels


def name_channels(modality: Sequence[str]) -> tuple[str, ...]:
    """File names of channels: ``('T1 MRI',)`` becomes ``('t1_mri',)``.

    Raises:
        InputError: A name without letters or digits, ``seg``, or one twice.
    """
    names = tuple(_slug(name) for name in modality)
    if not all(names) or 'seg' in names or len(set(names)) < len(names):
        raise InputError(
            f'channels {list(modality)}, expected different names; give --modality'
        )
    return names


def _find_strangers(
    raw: Path, pairs: Sequence[tuple[str, Path, Path | None]], patients: Container[str]
) -> tuple[Finding, ...]:
    """Scans in a synthetic set of which nothing says whose they are."""
    problem = f'{MANIFEST} does not say whose scan it is'
    remedy = 'prepare scans that were not synthesized from a folder of their own'
    return tuple(
        Finding(image.relative_to(raw).as_posix(), problem, remedy)
        for name, image, _ in pairs
        if name not in patients
    )


def _slug(text: str) -> str:
    return re.sub(r'[^a-z0-9]+', '_', text.casefold()).strip('_')[:60]
