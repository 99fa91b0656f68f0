"""The command on good and bad input, with networks whose answers are known."""

import importlib.util
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mmmed.inference.cascade.records import check_record
from mmmed.io import read_volume, write_volume
from mmmed.structures import Volume

TESTS = Path(__file__).resolve().parents[1]
RECORDS = ('processing_log', 'analysis_summary', 'batch_report', 'lesion_analysis')


def load_file(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def tool():
    return load_file('spine_tool', TESTS.parent / 'tools' / 'spine.py')


@pytest.fixture(scope='module')
def parts():
    """What the tests of the cascade build their inputs with."""
    path = TESTS / 'inference' / 'cascade' / 'conftest.py'
    return load_file('cascade_parts', path)


@pytest.fixture(scope='module')
def weights(parts, tmp_path_factory):
    return parts.save_folder(tmp_path_factory.mktemp('weights'))


def call_inference(tool, source, out, weights, *options):
    call = ['inference', '-i', source, '-o', out, '-w', weights, '--no-preview']
    return tool.main([*map(str, call), '--json', '-q', *options])


def read_summary(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def check_records(out):
    paths = [p for p in out.rglob('*.json') if p.stem in RECORDS]
    for path in paths:
        check_record(path.stem, json.loads(path.read_text()))
    return len(paths)


@pytest.fixture(scope='module')
def mixed(parts, tmp_path_factory):
    """A good oblique series, two DICOM series in one folder, and everything bad."""
    pytest.importorskip('pydicom', reason='DICOM is an optional extra')
    from mmmed.io.dicom_writing import write_series

    root = tmp_path_factory.mktemp('input')
    volume, truth = parts.make_series('RSP')
    angle = np.deg2rad(20)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = Volume(volume.array, volume.spacing, turn @ volume.grid)
    write_volume(oblique, root / 'p1' / 'oblique.nii.gz')
    for series, description in (('a', 'first'), ('b', 'second')):
        folder = root / 'p2' / 'both'
        files = write_series(volume, folder / series, series=series)
        for path in files:
            path.rename(folder / f'{description}{path.name}')
        (folder / series).rmdir()
    cut = write_series(volume, root / 'p3' / 'cut', series='c')[4]
    cut.write_bytes(cut.read_bytes()[:-100])
    write_series(volume, root / 'p3' / 'gap', series='d')[4].unlink()
    nan = volume.array.astype(np.float32)
    nan[0, 0, 0] = np.nan
    write_volume(volume.replace_array(nan), root / 'p4' / 'nan.nii.gz')
    four = volume.replace_array(np.stack([volume.array] * 2))
    write_volume(four, root / 'p4' / 'time.nii.gz')
    (root / 'p5').mkdir()
    return root, truth


def test_a_dry_run_lists_and_writes_nothing(tool, mixed, tmp_path, capsys):
    assert call_inference(tool, mixed[0], tmp_path / 'out', 'no', '--dry-run') == 0
    summary = read_summary(capsys)
    assert (summary['series'], summary['left_out']) == (7, 1)
    assert summary['p1/oblique'] == 'p1/oblique.nii.gz'
    assert not (tmp_path / 'out').exists()


def test_one_bad_series_never_stops_the_others(tool, mixed, weights, tmp_path, capsys):
    source, truth = mixed
    assert call_inference(tool, source, tmp_path / 'out', weights) == 1
    summary = read_summary(capsys)
    assert (summary['accepted'], summary['rejected'], summary['unreadable']) == (
        3,
        1,
        3,
    )
    report = json.loads((tmp_path / 'out' / 'batch_report.json').read_text())
    reasons = {row['place']: row['reason'] for row in report['rejected']}
    assert '1 slices of 3 mm are missing' in reasons['p3/gap']
    assert '0005.dcm: ' in reasons['p3/cut']
    assert '1 of 27000 voxels are NaN' in reasons['p4/nan.nii.gz']
    assert '4-D image of 2 volumes' in reasons['p4/time.nii.gz']
    assert report['left_out'] == [
        {'place': 'p5', 'reason': 'an empty folder', 'is_damaged': False}
    ]
    folder = tmp_path / 'out' / 'p1' / 'oblique'
    lesion = read_volume(folder / 'segmentation_mask.nii.gz')
    oblique = read_volume(source / 'p1' / 'oblique.nii.gz')
    assert np.abs(lesion.grid - oblique.grid).max() == 0
    cord = read_volume(folder / 'spinal_cord_mask.nii.gz')
    np.testing.assert_array_equal(cord.array, truth['cord'])
    log = json.loads((folder / 'processing_log.json').read_text())
    assert [stage['label'] for stage in log['stages'][:4]] == [
        'spine',
        'cervical_sagittal',
        'T2w',
        'present',
    ]
    assert log['lesions']['count'] == 1
    assert lesion.array[truth['lesion']].mean() > 0.7
    both = sorted((tmp_path / 'out' / 'p2').glob('both~*'))
    assert len(both) == 2
    assert all((one / 'segmentation.dcm').exists() for one in both)
    assert check_records(tmp_path / 'out') == 1 + 4 + 7 + 3
    assert '<html' in (tmp_path / 'out' / 'report.html').read_text()
    assert call_inference(tool, source, tmp_path / 'out', weights) == 1
    assert read_summary(capsys)['resumed'] == 7


def test_all_rejected_is_3_with_reasons(tool, parts, weights, tmp_path, capsys):
    volume, _ = parts.make_series()
    write_volume(volume, tmp_path / 'in' / 'brain.nii.gz')
    other = tmp_path / 'weights'
    other.mkdir()
    for path in weights.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    head = {'anatomy': {'head': 0.9}}
    parts.save_gate(other / 'anatomy.pth', ['anatomy'], probs=head)
    assert call_inference(tool, tmp_path / 'in', tmp_path / 'out', other) == 3
    error = capsys.readouterr().err.strip()
    assert error.startswith('rejected: brain/brain: anatomy: ')
    log_path = tmp_path / 'out' / 'brain' / 'brain' / 'processing_log.json'
    log = json.loads(log_path.read_text())
    assert log['stages'][0]['probs']['head'] == pytest.approx(0.9, abs=1e-3)
    assert log['stages'][0]['threshold'] == 0.7
    assert not list(log_path.parent.glob('*.nii.gz'))
    # The same series, with a remark.
    options = ('--on-reject', 'warn')
    assert call_inference(tool, tmp_path / 'in', tmp_path / 'o2', other, *options) == 0
    summary = tmp_path / 'o2' / 'brain' / 'analysis_summary.json'
    flags = json.loads(summary.read_text())['series'][0]['flags']
    assert flags == ['lesion', 'lesion_outside_cord', 'gate_overruled', 'warnings']


class Bomb:
    def __reduce__(self):
        return os.system, ('touch exploded',)


def test_wrong_weights_are_4(tool, parts, weights, tmp_path, capsys, monkeypatch):
    volume, _ = parts.make_series()
    write_volume(volume, tmp_path / 'in' / 'x.nii.gz')
    monkeypatch.chdir(tmp_path)

    def spoil(folder, change):
        folder.mkdir()
        for path in weights.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        change(folder / 'anatomy.pth')
        return folder

    def rename(path):
        parts.save_gate(path, ['anatomy'], names={'anatomy': ('knee', 'hip')},
                        probs={'anatomy': {'knee': 0.9}})  # fmt: skip

    changes = {
        'classes': (rename, "classes of 'anatomy' are ['knee', 'hip']"),
        'bomb': (lambda path: path.write_bytes(pickle.dumps(Bomb())), 'refused'),
        'zipped': (lambda path: torch.save({'x': Bomb()}, path), 'refused'),
        'absent': (lambda path: path.unlink(), 'does not exist'),
    }
    for name, (change, message) in changes.items():
        folder = spoil(tmp_path / name, change)
        assert call_inference(tool, 'in', 'out', folder) == 4, name
        error = capsys.readouterr().err
        assert 'anatomy.pth' in error
        assert message in error
    assert not (tmp_path / 'exploded').exists()
    assert not list((tmp_path / 'out').glob('*/*/processing_log.json'))
    assert call_inference(tool, 'in', 'out', 'nowhere') == 4


def test_mistakes_of_the_call_are_2(tool, weights, tmp_path, capsys):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'bad.yaml').write_text('processing: {batchsize: 3}')
    calls = {
        'no image series in': ('empty', 'out'),
        'nowhere does not exist': ('nowhere', 'out'),
        'is the input': ('empty', 'empty'),
        "did you mean 'processing.batch_size'?": (
            'empty', 'out', '--config', str(tmp_path / 'bad.yaml')
        ),
        'confidence_threshold is 1.5': ('empty', 'out', '--confidence', '1.5'),
    }  # fmt: skip
    for message, (source, out, *options) in calls.items():
        paths = tmp_path / source, tmp_path / out, weights
        assert call_inference(tool, *paths, *options) == 2
        assert message in capsys.readouterr().err
    assert tool.main(['report', str(tmp_path / 'empty')]) == 2
    assert tool.main(['collect', str(tmp_path / 'empty'), '--out', 'w']) == 2


def test_collect_names_checkpoints_by_what_they_say(tool, parts, tmp_path, capsys):
    runs = tmp_path / 'runs'
    for name in ('one', 'two', 'three'):
        (runs / name).mkdir(parents=True)
    parts.save_gate(runs / 'one' / 'epoch_2.pth', ['anatomy', 'sequence', 'cord'])
    best = parts.save_gate(runs / 'two' / 'best_x_epoch_1.pth', ['location_view'])
    (runs / 'two' / 'epoch_9.pth').write_bytes(b'later, not better')
    (runs / 'two' / 'calibration.json').write_text('{"by_iteration": {}}')
    parts.save_segmenter(runs / 'three' / 'iter_5.pth', 'lesion', level=0.8)
    out = tmp_path / 'weights'
    assert tool.main(['collect', str(runs), '--out', str(out), '--json', '-q']) == 0
    summary = read_summary(capsys)
    assert sorted(summary['collected']) == [
        'anatomy',
        'lesion_segmentation',
        'spinal_cord',
        'spine_location_view',
        'spine_sequence',
    ]
    assert summary['missing'] == ['cord_segmentation']
    assert (out / 'spine_location_view.pth').read_bytes() == best.read_bytes()
    assert (out / 'spine_location_view.calibration.json').exists()
    listed = json.loads((out / 'weights.json').read_text())['stages']
    assert listed['anatomy']['checkpoint'] == 'epoch_2.pth'
    parts.save_gate(runs / 'three' / 'iter_9.pth', ['cord'])
    assert tool.main(['collect', str(runs), '--out', str(out)]) == 2
    assert "both of the stage 'spinal_cord'" in capsys.readouterr().err


def test_analyze_measures_given_masks(tool, parts, tmp_path, capsys):
    volume, truth = parts.make_series('PSR')
    for name in ('cord', 'lesion'):
        mask = volume.replace_array(truth[name].astype(np.uint8))
        write_volume(mask, tmp_path / f'{name}.nii.gz')
    lesion, cord, out = (
        str(tmp_path / name) for name in ('lesion.nii.gz', 'cord.nii.gz', 'out')
    )
    assert tool.main(['analyze', lesion, '--cord', cord, '-o', out, '--json']) == 0
    summary = read_summary(capsys)
    assert (summary['lesions'], summary['outside_cord']) == (1, 0)
    assert summary['volume_mm3'] == pytest.approx(truth['lesion'].sum() * 2.4)
    labels = read_volume(tmp_path / 'out' / 'lesion_labels.nii.gz')
    np.testing.assert_array_equal(labels.array, truth['lesion'])
    np.testing.assert_array_equal(labels.grid, read_volume(lesion).grid)
    write_volume(Volume(truth['cord'][1:], volume.spacing), tmp_path / 'cord.nii.gz')
    assert tool.main(['analyze', lesion, '--cord', cord, '-o', out]) == 2
    assert 'expected the same' in capsys.readouterr().err


def test_previews_interruption_and_disks(tool, parts, weights, tmp_path, monkeypatch):
    volume, _ = parts.make_series()
    write_volume(volume, tmp_path / 'in' / 'x.nii.gz')
    (tmp_path / 'spine.yaml').write_text('output: {preview_slices: [2, 4]}')
    seen = []

    def draw(folder, *masks, slices, plane):
        seen.append((folder.name, len(masks), slices, plane))
        if len(seen) > 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(tool.reporting, 'write_previews', draw)
    paths = {'-i': 'in', '-o': 'out', '--config': 'spine.yaml'}
    call = ['inference', '-w', str(weights), '-q']
    for flag, name in paths.items():
        call += [flag, str(tmp_path / name)]
    assert tool.main(call) == 0
    assert tool.main([*call, '--overwrite']) == 130
    assert seen == [('preview', 3, (2, 4), 'sagittal')] * 2

    def fill(*_):
        raise OSError('no space left on device')

    monkeypatch.setattr(tool.cascade, 'run_cascade', fill)
    assert tool.main(call) == 1
