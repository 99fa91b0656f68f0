"""Exported slices with label pictures to a manifest of slices."""

import numpy as np
import pytest
from PIL import Image

from mmmed.datasets import MedSegDataset
from mmmed.io import write_image
from mmmed.preparation import InputError, SpinePreparer, SpineSlicePreparer
from mmmed.preparation.workspace import Workspace
from mmmed.structures import Manifest


def fill(root, names, *, labelled=True):
    for index, name in enumerate(names):
        image = np.full((5, 8), 40 + index, np.uint8)
        label = np.zeros((5, 8), np.uint8)
        label[1:3, 2 : 3 + index % 4] = 255
        for path, array in ((name, image), (name.replace('images', 'labels'), label)):
            if array is image or labelled:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                write_image(root / path, array)
    return root


def prepare(raw, out, **options):
    preparer = SpineSlicePreparer(**{'num_folds': 2, **options})
    outcome = preparer.prepare(raw, out, quiet=True)
    return outcome, Manifest.read(out / 'manifest.json')


NAMES = [
    f'images/{phase}/{sub}/T2w_sagittal/{sub}_T2w_sagittal_{k}.png'
    for phase, sub in (('train', 'sub-a1'), ('train', 'sub-b2'), ('val', 'sub-c3'))
    for k in (9, 10)
]


def test_pairs_patients_phases_and_targets(tmp_path):
    raw = fill(tmp_path / 'raw', NAMES)
    options = {'target': 'lesion', 'spacing_mm': (0.8, 0.5)}
    outcome, manifest = prepare(raw, tmp_path / 'out', **options)
    assert (outcome.exit_code, outcome.summary['labels_not_binary']) == (0, [])
    sides = {case.patient_id: case.split for case in manifest.cases}
    assert sides == {'sub-a1': 'train', 'sub-b2': 'train', 'sub-c3': 'val'}
    # Ten before nine: cases are in the order of file names, numbers as in the source.
    assert [case.slice_index for case in manifest.cases] == [10, 9] * 3
    assert [case.foreground_pixels for case in manifest.cases] == [4, 2, 8, 6, 4, 2]
    unknown = {'anatomy': None, 'location': None}
    targets = {**unknown, 'sequence': 'T2w', 'view': 'sagittal'}
    assert manifest.cases[0].extra['targets'] == targets
    classes = {'classes': ['background', 'lesion']}
    dataset = MedSegDataset(str(tmp_path / 'out'), split='val', metainfo=classes)
    assert (len(dataset), dataset[0]['spacing']) == (2, [0.8, 0.5])


def test_what_has_no_partner_is_named_and_leaks_are_refused(tmp_path):
    raw = fill(tmp_path / 'raw', NAMES)
    fill(raw, ['images/train/sub-a1/x_1.png'], labelled=False)
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert (outcome.exit_code, len(manifest.cases)) == (3, 6)
    (finding,) = outcome.summary['findings']
    assert '1 picture(s) without a label' in finding['problem']
    fill(raw, ['images/val/sub-a1/y_1.png'])
    with pytest.raises(InputError, match="'sub-a1' is in train and in val"):
        prepare(raw, tmp_path / 'out')
    with pytest.raises(InputError, match='subject spine-slices'):
        SpinePreparer().prepare(raw, tmp_path / 'volumes', quiet=True)


def test_labels_in_jpeg_are_left_out(tmp_path):
    raw = fill(tmp_path / 'raw', NAMES)
    label = raw / NAMES[0].replace('images', 'labels')
    Image.open(label).save(label.with_suffix('.jpg'))
    label.unlink()
    outcome, manifest = prepare(raw, tmp_path / 'out')
    (finding,) = outcome.summary['findings']
    assert 'a label in JPEG' in finding['problem']
    assert (outcome.exit_code, len(manifest.cases)) == (3, 5)


def test_another_table_is_another_data_set(tmp_path):
    raw = fill(tmp_path / 'raw', NAMES)
    table = tmp_path / 'targets.csv'
    for location, is_new in (('cervical', True), ('cervical', False), ('lumbar', True)):
        table.write_text(f'path,location\nimages/train,{location}\n')
        preparer = SpineSlicePreparer(num_folds=2, targets=table)
        outcome = preparer.prepare(raw, tmp_path / 'out', quiet=True, overwrite=True)
        assert (outcome.status == 'written') is is_new
    manifest = Manifest.read(tmp_path / 'out' / 'manifest.json')
    assert manifest.cases[0].extra['targets']['location'] == 'lumbar'


def test_an_interrupted_run_takes_nothing_over_from_other_persons(
    tmp_path, monkeypatch
):
    raw = fill(tmp_path / 'raw', [name.replace('sub-', '') for name in NAMES[:4]])
    table = tmp_path / 'targets.csv'
    append, calls = Workspace.append, []

    def stop(space, entry):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(append(space, entry))

    def name(first, second):
        lines = [f'images/train/a1,{first}', f'images/train/b2,{second}']
        table.write_text('\n'.join(['path,patient', *lines]))

    name('x', 'y')
    monkeypatch.setattr(Workspace, 'append', stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(raw, tmp_path / 'out', targets=table)
    monkeypatch.undo()
    name('y', 'x')
    _, manifest = prepare(raw, tmp_path / 'out', targets=table)
    assert [case.patient_id for case in manifest.cases] == ['y', 'y', 'x', 'x']
