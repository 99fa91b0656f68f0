import csv
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from mmmed.io import read_volume, write_volume
from mmmed.phantoms import make_abdomen_cohort, write_abdomen_raw
from mmmed.structures import Volume
from mmmed.synthesis import read_prior

TOOL = Path(__file__).resolve().parents[2] / 'tools/synthesize.py'


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp('raw')
    cohort = make_abdomen_cohort(2, spacing=(8, 5, 5), tumors=4, seed=2)
    write_abdomen_raw(folder / 'real', cohort, 'lits')
    healthy = make_abdomen_cohort(1, spacing=(8, 5, 5), tumors=0)
    write_abdomen_raw(folder / 'healthy', healthy, 'btcv')
    return folder


@pytest.fixture
def run(capsys):
    main = runpy.run_path(str(TOOL))['main']

    def call(*arguments):
        code = main([*map(str, arguments), '--json', '-q'])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else err

    return call


@pytest.mark.parametrize('organ', ['liver', 'pancreas', 'kidney'])
def test_preview_shows_every_type(tmp_path, run, raw, organ):
    code, result = run('preview', raw / 'healthy', '--organ', organ, '--out', tmp_path,
                       '--seeds', 1)  # fmt: skip
    assert code == 0
    assert result['panels'] == 5
    picture = imread(tmp_path / f'full_{organ}.png')
    assert min(picture.shape[:2]) > 200
    assert picture[..., :3].std() > 0.1


def test_generate_goes_on_and_names_what_it_made(tmp_path, run, raw):
    call = (
        'generate',
        raw / 'healthy',
        '--out',
        tmp_path / 'o',
        '--recipe',
        'automaton',
    )
    code, result = run(*call)
    assert (code, result['cases'], result['failed']) == (0, 1, 0)
    assert run(*call) == (0, result)
    case = json.loads((tmp_path / 'o/synthetic.json').read_text())['cases'][0]
    assert case['plan']['recipe']['organ'] == 'liver'


def test_calibrate_writes_the_statistics_of_the_organ(tmp_path, run, raw):
    code, result = run('calibrate', raw / 'healthy', '--out', tmp_path / 'o.json')
    assert code == 0
    assert result['level_hu'] == pytest.approx(108, abs=6)
    value = json.loads((tmp_path / 'o.json').read_text())
    assert value['scans'][0]['volume_ml'] > 900
    assert run('calibrate', raw / 'healthy', '--out', tmp_path / 'o')[0] == 2


def test_analyze_counts_real_tumors(tmp_path, run, raw):
    code, result = run('analyze', raw / 'real', '--out', tmp_path, '--min-voxels', 1)
    assert code == 0
    with open(tmp_path / 'tumors.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == result['tumors'] >= 2
    assert all(0 <= float(row[k]) <= 1 for row in rows for k in 'xyz')
    for name in ('radii', 'positions', 'contrast'):
        assert imread(tmp_path / f'{name}.png')[..., :3].std() > 0.02


def test_fit_prior_writes_what_generate_reads(tmp_path, run):
    # Tumors on a lattice in a box: their cloud is known.
    mask = np.ones((30, 30, 30), np.uint8)
    mask[3:28:6, 3:28:6, 3:28:6] = 2
    hu = np.full(mask.shape, 100, np.int16)
    write_volume(Volume(hu, (2, 2, 2)), tmp_path / 'a.nii.gz')
    write_volume(Volume(mask, (2, 2, 2)), tmp_path / 'm.nii.gz')
    prior = tmp_path / 'p.json'
    code, result = run(
        'fit-prior',
        tmp_path / 'a.nii.gz',
        '--mask',
        tmp_path / 'm.nii.gz',
        '--out',
        prior,
        '--min-voxels',
        1,
    )
    assert (code, result['tumors']) == (0, 125)
    assert read_prior(prior).means[0] == pytest.approx([15.5 / 30] * 3, abs=0.02)
    write_volume(Volume((mask > 0).astype(np.uint8), (2, 2, 2)), tmp_path / 'o.nii.gz')
    code, _ = run(
        'generate',
        tmp_path / 'a.nii.gz',
        '--mask',
        tmp_path / 'o.nii.gz',
        '--prior',
        prior,
        '--type',
        'tiny',
        '--out',
        tmp_path / 'g',
    )
    assert code == 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('preview', 'absent'), 'needs --mask'),
        (('generate', 'RAW', '--count', 0), 'count 0'),
        (('preview', 'RAW', '--type', 'huge'), 'tiny'),
        (('preview', 'RAW', '--seeds', 0), '--seeds is 0'),
        (('fit-prior', 'RAW'), '.json'),
    ],
)
def test_a_mistake_ends_with_2_and_one_line(tmp_path, run, raw, arguments, message):
    given = [raw / 'healthy' if a == 'RAW' else a for a in arguments]
    code, err = run(*given, '--out', tmp_path / 'o')
    assert code == 2
    assert err.startswith('error: ')
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_broken_scan_ends_with_3(tmp_path, run, raw):
    (tmp_path / 'i').mkdir()
    (tmp_path / 'm').mkdir()
    source = raw / 'healthy/01_Multi-Atlas_Labeling'
    for name in ('a', 'b'):
        image = (source / 'img/img0001.nii.gz').read_bytes()
        (tmp_path / f'i/{name}.nii.gz').write_bytes(image if name == 'a' else b'x')
        mask = (source / 'label/label0001.nii.gz').read_bytes()
        (tmp_path / f'm/{name}.nii.gz').write_bytes(mask)
    code, result = run('calibrate', tmp_path / 'i', '--mask', tmp_path / 'm', '--label',
                       6, '--out', tmp_path / 'o.json')  # fmt: skip
    assert (code, result['scans'], result['failed']) == (3, 1, 1)


@pytest.mark.data
def test_a_real_liver_gets_lesions(tmp_path, run, sample_data):
    folder = sample_data / 'abdomen/totalsegmentator'
    scan = read_volume(folder / 'example_ct.nii.gz')
    organs = read_volume(folder / 'example_seg.nii.gz')
    # The label map shows the last 30 slices and kept the grid of the first.
    part = Volume(scan.array[82:].astype(np.int16), organs.spacing, organs.affine)
    write_volume(part, tmp_path / 'ct.nii.gz')
    write_volume(organs, tmp_path / 'seg.nii.gz')
    source = (tmp_path / 'ct.nii.gz', '--mask', tmp_path / 'seg.nii.gz', '--label', 5)
    code, result = run('generate', *source, '--out', tmp_path / 'o', '--count', 3)
    assert (code, result['without_lesion']) == (0, 0)
    code, _ = run('preview', *source, '--out', tmp_path, '--recipe', 'automaton')
    assert code == 0


def test_help_shows_an_example_that_names_this_tool(capsys):
    main = runpy.run_path(str(TOOL))['main']
    with pytest.raises(SystemExit) as stop:
        main(['--help'])
    assert stop.value.code == 0
    assert 'python tools/synthesize.py generate' in capsys.readouterr().out
