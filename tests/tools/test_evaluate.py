import csv
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mmmed.io import write_volume
from mmmed.structures import Volume

TOOL = Path(__file__).resolve().parents[2] / 'tools/evaluate.py'


@pytest.fixture
def run(capsys):
    main = runpy.run_path(str(TOOL))['main']

    def call(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            code = stop.code
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def masks(tmp_path):
    """Cubes of four voxels, shifted by one (``a``) and by two (``b``)."""
    for case in range(3):
        for name, shift in (('ref', 0), ('a', 1), ('b', 2)):
            array = np.zeros((10, 9, 8), np.uint8)
            array[1 + shift : 5 + shift, 2:6, 1 + case : 5 + case] = 1
            array[8, 7, 0] = 2
            path = tmp_path / name / f'case{case}.nii.gz'
            write_volume(Volume(array, (2.0, 1.0, 0.5)), path)
    return tmp_path


def test_scores_are_printed_and_written(masks, run):
    call = [masks / 'a', masks / 'ref', '--out', masks / 'out', '--workers', 1]
    call += ['--labels', 'liver=1', 'tumor=2', '--tolerance-mm', 1, '--plane', 'axial']
    code, text, _ = run(*call, '--compare', masks / 'b', '--json')
    assert code == 0
    assert 'liver: n 3; empty: 0 on both sides' in text
    assert 'Dice: mean 0.75 [0.75, 0.75], median 0.75, SD 0, n 3' in text
    assert 'liver, a minus b: Dice 0.25 [0.25, 0.25], n 3, wins 3' in text
    summary = json.loads(text.splitlines()[-1])
    assert summary['structures']['liver']['scores']['hausdorff_mm']['mean'] == 2
    assert summary['structures']['tumor']['scores']['dice']['mean'] == 1
    names = ['cases.csv', 'lesions.csv', 'slices.csv', 'comparison.csv', 'run.json']
    assert all((masks / 'out' / name).is_file() for name in names)
    page = (masks / 'out/report.html').read_text()
    assert 'liver' in page
    with open(masks / 'out/cases.csv', newline='') as stream:
        assert [row['dice'] for row in csv.DictReader(stream)] == ['0.75', '1.0'] * 3
    assert json.loads((masks / 'out/run.json').read_text())['seconds'] >= 0
    assert run(*call, '-q')[:2] == (0, '')


def test_a_failed_case_ends_with_3_and_is_named(masks, run):
    (masks / 'a/case1.nii.gz').write_bytes(b'\x1f\x8b')
    (masks / 'a/case2.nii.gz').unlink()
    out = masks / 'out'
    code, text, _ = run(masks / 'a', masks / 'ref', '--out', out, '--workers', 1)
    assert code == 3
    assert '2 cases scored, 1 failed, 1 without prediction (scored as missed)' in text
    assert 'failed: case1: ' in text
    assert 'case1.nii.gz: not a readable NIfTI image' in text


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{m}/a', '{m}/ref'], 'required: --out'),
        (['{m}/none', '{m}/ref', '--out', '{m}/o'], 'none does not exist'),
        (['{m}', '{m}/ref', '--out', '{m}/o'], 'no mask in'),
        (['{m}/a', '{m}/ref', '--out', '{m}/a'], 'results need another folder'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--labels', 'liver'], 'liver=1 tumor'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--labels', 'x=0'], 'from 1 to 65535'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--labels', 'x=1', 'x=2'], 'once'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--tolerance-mm', '-1'], '>= 0'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--both-empty', 'x'], "'out' or a"),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--pred-empty', '2'], 'from 0 to 1'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--both-empty', 'nan'], '0 to 1'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--strata-mm3', '9', '3'], 'rising'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--groups', '{m}/g.csv'], 'no table'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--workers', '0'], 'at least 1'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--ref-pattern', 'x'], '{case}'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--connectivity', '5'], 'invalid'),
        (['{m}/a', '{m}/ref', '--out', '{m}/o', '--compare', '{m}/c'], 'not exist'),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(masks, run, arguments, message):
    code, text, error = run(*(a.format(m=masks) for a in arguments))
    assert code == 2
    assert text == ''
    assert 'error: ' in error
    assert message in error
    assert 'Traceback' not in error


def test_missing_references_are_refused_unless_allowed(masks, run):
    (masks / 'ref/case1.nii.gz').unlink()
    call = [masks / 'a', masks / 'ref', '--out', masks / 'out', '--workers', 1]
    code, _, error = run(*call)
    assert code == 2
    assert '1 predictions have no reference: case1' in error
    code, text, _ = run(*call, '--allow-missing-reference')
    assert code == 0
    assert '2 cases scored, 0 failed, 0 without prediction' in text
    assert '1 without reference (left out)' in text


def test_debug_shows_the_traceback(masks, run):
    with pytest.raises(FileNotFoundError, match='does not exist'):
        run(masks / 'x', masks / 'ref', '--out', masks / 'o', '--debug')


@pytest.mark.slow
def test_interrupted_it_ends_with_130_and_goes_on(masks, run):
    for number in range(400):
        for side in ('a', 'ref'):
            source = masks / side / 'case0.nii.gz'
            (masks / side / f'n{number}.nii.gz').write_bytes(source.read_bytes())
    call = [masks / 'a', masks / 'ref', '--out', masks / 'out', '--workers', 2]
    process = subprocess.Popen(
        [sys.executable, TOOL, *map(str, call)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    records = masks / 'out/.cases'
    while len(list(records.glob('*.json'))) < 10:
        time.sleep(0.02)
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'the same command goes on' in error
    assert 'Traceback' not in error
    done = len(list(records.glob('*.json')))
    assert 10 <= done < 403
    code, text, _ = run(*call)
    assert code == 0
    assert '403 cases scored' in text


def test_lesions_by_radius_after_post_processing(tmp_path, run):
    """Balls of 3, 8 and 16 mm beside an organ; of the smallest one voxel is far off."""
    z, y, x = (np.arange(n) * mm for n, mm in zip((24, 60, 60), (3, 1, 2), strict=True))
    target = np.zeros((24, 60, 60), np.uint8)
    target[:, :3] = 1
    for radius, center in ((3, 8), (8, 24), (16, 80)):
        away = (z[:, None, None] - 36) ** 2 + (y[:, None] - 24) ** 2
        target[away + (x - center) ** 2 <= radius**2] = 2
    pred = np.where((target == 2) & (x < 16), 0, target)
    pred[1, 59, 59] = 2
    for name, array in (('pred', pred), ('ref', target)):
        write_volume(Volume(array, (3.0, 1.0, 2.0)), tmp_path / name / 'case.nii.gz')
    call = [tmp_path / 'pred', tmp_path / 'ref', '--workers', 1, '--json', '--labels']
    call += ['liver=1', 'tumor=2', '--strata-radius-mm', 5, 10, 20]
    code, text, _ = run(*call, '--out', tmp_path / 'a')
    assert code == 0
    assert 'radius 0 to 5 mm: 0 of 1 found, sensitivity 0, 1 false positives' in text
    assert 'radius 5 to 10 mm: 1 of 1 found, sensitivity 1, 0 false' in text
    assert 'radius 20 mm and more: 0 of 0 found' in text
    strata = json.loads(text.splitlines()[-1])['structures']['tumor']['lesions']
    assert [row['lesions'] for row in strata['strata']] == [1, 1, 1, 0]
    assert strata['strata'][1]['low_radius_mm'] == 5
    code, text, _ = run(*call, '--out', tmp_path / 'b', '--keep-near', 'liver',
                        'tumor', 30)  # fmt: skip
    assert 'radius 0 to 5 mm: 0 of 1 found, sensitivity 0, 0 false positives' in text
    with (tmp_path / 'b/lesion_scores.csv').open(newline='') as stream:
        rows = [row for row in csv.DictReader(stream) if row['label'] == 'tumor']
    assert [row['high_radius_mm'] for row in rows] == ['', '5.0', '10.0', '20.0', '']
    page = (tmp_path / 'b/report.html').read_text()
    assert 'radius 5 to 10 mm' in page
    code, _, error = run(*call, '--out', tmp_path / 'c', '--keep-near', 'a', 'b', 'c')
    assert code == 2
    assert 'expected ORGAN LESION MM' in error
