"""The command: prepared folders, raw scans, off-grid scans, weights, interruptions."""

import csv
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmmed.files import hash_file
from mmmed.functional.overlap import compute_dice
from mmmed.functional.packed_bits import pack_mask
from mmmed.functional.planes import PLANES
from mmmed.inference import fusion_job
from mmmed.io import read_volume, write_volume
from mmmed.structures import Volume
from mmmed.structures.manifest import Manifest
from mmmed.structures.volume_case import VolumeCase

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (14, 20, 17)
SPACING = (3.0, 2.5, 2.0)
AFFINE = ((0, 0, 2.0, -16.0), (0, 2.5, 0, -25.0), (3.0, 0, 0, -20.0), (0, 0, 0, 1))
SUBJECTS = {
    'sub-r001s001': ('train', 0),
    'sub-r001s002': ('train', 1),
    'sub-r002s001': ('val', None),
    'sub-r002s002': ('val', None),
}
CONFIG = """
_base_ = {base!r}
model = dict(backbone=dict(base_channels=2))
default_scope = 'mmseg'
custom_imports = dict(imports=['mmmed.compat'])
test_dataloader = dict(dataset=dict(plane={plane!r}, pipeline=[
    dict(type='mmmed.LoadVolumeSlice'), dict(type='mmmed.PackMedInputs')]))
"""
META = {
    'dataset': 'tiny',
    'classes': ['background', 'lesion'],
    'channels': 1,
    'unit': 'volume',
    'grid': {'shape': list(SHAPE), 'affine': AFFINE, 'name': 'the tiny grid'},
    'intensity': {
        'rule': 'percentile',
        'low': 0.5,
        'high': 99.5,
        'nonzero': True,
        'bits': 8,
    },
}


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('fuse', ROOT / 'tools/fuse.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_subject(number):
    """A head of noise with a dark lesion, and the lesion."""
    rng = np.random.default_rng(number)
    z, y, x = np.meshgrid(*(np.linspace(-1.2, 1.2, n) for n in SHAPE), indexing='ij')
    img = np.zeros(SHAPE, np.uint8)
    head = z**2 + y**2 + (1.1 * x) ** 2 < 1
    img[head] = rng.integers(140, 200, head.sum())
    lesion = np.zeros(SHAPE, bool)
    lesion[4:9, 5 + number : 12, 4:9] = True
    lesion &= head
    img[lesion] = rng.integers(20, 60, lesion.sum())
    return img, lesion


@pytest.fixture(scope='module')
def prepared(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('prepared')
    cases = []
    for number, (name, (split, fold)) in enumerate(SUBJECTS.items()):
        folder = root / 'volumes' / name
        folder.mkdir(parents=True)
        img, lesion = make_subject(number)
        np.save(folder / 't1w.npy', img)
        np.save(folder / 'seg.npy', pack_mask(lesion))
        cases.append(
            VolumeCase(
                name, name, split, fold, {'t1w': f'volumes/{name}/t1w.npy'},
                f'volumes/{name}/seg.npy', SHAPE, SPACING, AFFINE, int(lesion.sum()),
                True,
                {'t1w': hash_file(folder / 't1w.npy'),
                 'seg': hash_file(folder / 'seg.npy')},
            )
        )  # fmt: skip
    meta = {
        **META,
        'schema_version': 1,
        'task': 'segmentation',
        'num_folds': 2,
        'folds_on': 'train',
    }
    Manifest(meta, tuple(cases)).write(root / 'manifest.json')
    return root


@pytest.fixture(scope='module')
def networks(tmp_path_factory) -> list[str]:
    """Arguments: a narrow RAX-Net with drawn weights for each plane."""
    from mmengine.config import Config

    from mmmed.inference.loading import build_model

    folder = tmp_path_factory.mktemp('networks')
    words = []
    for seed, plane in enumerate(PLANES):
        base = str(ROOT / 'configs/_base_/models/raxnet.py')
        path = folder / f'{plane}.py'
        path.write_text(CONFIG.format(base=base, plane=plane))
        torch.manual_seed(seed)
        model = build_model(Config.fromfile(path))
        for part in model.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(part.running_mean, -0.2, 0.2)
                torch.nn.init.uniform_(part.running_var, 0.1, 0.6)
        model.backbone.head.weight.data *= 5
        state = {'state_dict': model.state_dict(), 'meta': {'dataset_meta': META}}
        torch.save(state, path.with_suffix('.pth'))
        words += [f'--{plane}', str(path), str(path.with_suffix('.pth'))]
    return words


@pytest.fixture
def scans(tmp_path) -> Path:
    """Two scans on the grid, stored in different ways, and one elsewhere."""
    folder = tmp_path / 'scans'
    folder.mkdir()
    for number, (name, letters) in enumerate({'a_T1w': 'SAR', 'b_T1w': 'PIL'}.items()):
        img, lesion = make_subject(number)
        volume = Volume(img, SPACING, np.array(AFFINE)).reorient(letters)
        write_volume(volume, folder / f'{name}.nii.gz')
        mask = Volume(lesion.astype(np.uint8), SPACING, np.array(AFFINE))
        write_volume(mask, tmp_path / f'masks/{name[:1]}_label-L_mask.nii.gz')
    moved = np.array(AFFINE)
    moved[:3, 3] += (12.0, 0.0, 6.0)
    volume = Volume(make_subject(0)[0], SPACING, moved)
    write_volume(volume, folder / 'c_T1w.nii.gz')
    return folder


def read_rows(path):
    with open(path, newline='') as stream:
        return list(csv.DictReader(stream))


def test_a_prepared_folder_is_fused_and_reported(tool, prepared, networks, tmp_path):
    out = tmp_path / 'out'
    call = [*networks, str(prepared), str(out), '-q', '--save', 'prob']
    assert tool.main(call) == 0
    names = {p.relative_to(out).as_posix() for p in out.rglob('*') if p.is_file()}
    for name in ('sub-r002s001', 'sub-r002s002'):
        for place in ('', 'planes/axial/', 'planes/coronal/', 'prob/fused/'):
            assert f'{place}{name}.nii.gz' in names
    assert {'run.json', 'cases.csv', 'volumes.csv', 'fusion.html'} <= names
    assert 'figures/dice_3d.svg' in names
    fused = read_volume(out / 'sub-r002s001.nii.gz')
    np.testing.assert_allclose(fused.grid, AFFINE)
    probs = [
        read_volume(out / f'prob/{plane}/sub-r002s001.nii.gz').array for plane in PLANES
    ]
    assert (fused.array == (np.mean(probs, axis=0, dtype=float) >= 0.5)).all()
    assert 0 < fused.array.mean() < 1

    lesion = make_subject(2)[1]
    rows = {(r['case_id'], r['mask']): r for r in read_rows(out / 'volumes.csv')}
    dice = float(rows['sub-r002s001', 'fused']['dice'])
    assert dice == pytest.approx(compute_dice(fused.array, lesion))
    axial = read_volume(out / 'planes/axial/sub-r002s001.nii.gz').array
    assert float(rows['sub-r002s001', 'axial']['dice']) == pytest.approx(
        compute_dice(axial, lesion)
    )
    table = read_rows(out / 'comparison_before_after_fusion.csv')
    sums = {r['slices']: int(r['number_of_slices']) for r in table[:3]}
    assert table[0]['plane'] == 'axial'
    assert sums['lesion'] + sums['lesion_free'] == sums['all'] == 2 * SHAPE[0]


def test_what_is_finished_is_skipped(tool, prepared, networks, tmp_path, capsys):
    call = [*networks, str(prepared), str(tmp_path / 'out'), '--json']
    assert tool.main(call) == 0
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*.nii.gz')}
    assert tool.main(call) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary['done'], summary['skipped']) == (0, 2)
    assert stamps == {p: p.stat().st_mtime_ns for p in stamps}
    assert tool.main([*call, '--rule', 'vote']) == 2
    assert 'another folder, or --overwrite' in capsys.readouterr().err


def test_an_interrupted_run_goes_on(tool, prepared, networks, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    call = [*networks, str(prepared), str(out), '-q']
    work, seen = fusion_job.fuse_scan, []

    def interrupt(*args, **kwargs):
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return work(*args, **kwargs)

    monkeypatch.setattr(fusion_job, 'fuse_scan', interrupt)
    assert tool.main(call) == 130
    report = json.loads((out / 'cases/sub-r002s002.json').read_text())
    assert report['status'] == 'running'
    assert tool.main(call) == 0
    assert len(seen) == 3
    whole = tmp_path / 'whole'
    assert tool.main([*networks, str(prepared), str(whole), '-q']) == 0
    for name in ('sub-r002s001.nii.gz', 'sub-r002s002.nii.gz', 'volumes.csv'):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_a_bad_scan_does_not_stop_the_others(tool, networks, scans, tmp_path, caplog):
    out = tmp_path / 'out'
    (scans / 'broken.nii.gz').write_bytes(b'nothing')
    masks = ['--reference', str(tmp_path / 'masks')]
    assert tool.main([*networks, *masks, str(scans), str(out)]) == 3
    reports = {p.stem: json.loads(p.read_text()) for p in (out / 'cases').iterdir()}
    assert [reports[name]['status'] for name in sorted(reports)] == [
        'done',
        'done',
        'failed',
        'failed',
    ]
    assert 'shifted by 12.0, 0.0, 6.0 mm' in reports['c_T1w']['error']
    assert '--register' in caplog.text
    for name, letters in {'a_T1w': 'SAR', 'b_T1w': 'PIL'}.items():
        mask = read_volume(out / f'{name}.nii.gz')
        scan = read_volume(scans / f'{name}.nii.gz')
        assert mask.orientation == letters
        assert np.array_equal(mask.grid, scan.grid)
    assert len(read_rows(out / 'volumes.csv')) == 2 * 4


@pytest.mark.slow
def test_stored_orientation_does_not_change_the_mask(tool, networks, scans, tmp_path):
    turned = tmp_path / 'turned'
    for path in scans.glob('[ab]*.nii.gz'):
        write_volume(read_volume(path).reorient('LIP'), turned / path.name)
    for source, name in ((scans, 'one'), (turned, 'two')):
        code = tool.main([*networks, str(source), str(tmp_path / name), '-q'])
        assert code in (0, 3)
    for name in ('a_T1w.nii.gz', 'b_T1w.nii.gz'):
        one = read_volume(tmp_path / 'one' / name).reorient('SAR').array
        two = read_volume(tmp_path / 'two' / name).reorient('SAR').array
        assert np.array_equal(one, two)


def test_a_scan_elsewhere_is_registered(tool, networks, scans, tmp_path):
    pytest.importorskip('SimpleITK')
    out = tmp_path / 'out'
    template = ['--template', str(scans / 'a_T1w.nii.gz')]
    call = [*networks, *template, str(scans / 'c_T1w.nii.gz'), str(out), '-q']
    assert tool.main(call) == 0
    mask = read_volume(out / 'c_T1w.nii.gz')
    scan = read_volume(scans / 'c_T1w.nii.gz')
    assert np.array_equal(mask.grid, scan.grid)
    report = json.loads((out / 'cases/c_T1w.json').read_text())
    matrix = np.array(report['registration']['template_to_scan'])
    np.testing.assert_allclose(matrix[:3, 3], [12.0, 0.0, 6.0], atol=1.0)


def test_weights_are_fitted_out_of_fold_and_used(tool, prepared, networks, tmp_path):
    out, weights = tmp_path / 'oof', tmp_path / 'weights.json'
    for fold in ('0', '1'):
        call = [*networks, str(prepared), str(out), '-q', '--fold', fold]
        assert tool.main([*call, '--fit-weights', str(weights)]) == 0
    fitted = json.loads(weights.read_text())
    assert fitted['subjects'] == 2
    assert sum(fitted['weights'].values()) == pytest.approx(1)
    assert fitted['dice_fitted'] >= fitted['dice_mean_rule']
    used = tmp_path / 'used'
    call = [*networks, str(prepared), str(used), '-q', '--weights-file', str(weights)]
    assert tool.main(call) == 0
    settings = json.loads((used / 'run.json').read_text())['fusion']['settings']
    assert settings['rule'] == 'weighted'
    assert settings['weights'] == fitted['weights']


@pytest.mark.slow
def test_parts_together_are_the_whole(tool, prepared, networks, tmp_path):
    out = tmp_path / 'out'
    for part in ('0', '1'):
        parts = ['--num-parts', '2', '--part-id', part]
        assert tool.main([*networks, *parts, str(prepared), str(out), '-q']) == 0
    assert len(read_rows(out / 'volumes.csv')) == 2 * 4
    assert (out / 'run-part1of2.json').is_file()


@pytest.mark.slow
def test_a_fusion_file_stands_for_the_options(tool, prepared, networks, tmp_path):
    path = Path(networks[1]).parent / 'fusion.json'
    planes = {
        plane: {'config': f'{plane}.py', 'checkpoints': [f'{plane}.pth']}
        for plane in PLANES
    }
    path.write_text(json.dumps({**planes, 'rule': 'vote', 'min_component_mm3': 60}))
    one, two = tmp_path / 'one', tmp_path / 'two'
    assert tool.main(['--fusion', str(path), str(prepared), str(one), '-q']) == 0
    options = ['--rule', 'vote', '--min-component-mm3', '60']
    assert tool.main([*networks, *options, str(prepared), str(two), '-q']) == 0
    name = 'sub-r002s001.nii.gz'
    assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda words: words[6:], 'either --fusion'),
        (lambda words: [*words, '--rule', 'weighted'], 'weights'),
        (lambda words: [*words, '--fit-weights', 'w.json'], '--fold K'),
        (lambda words: [*words, '--fold', '7'], 'fold 7'),
        (lambda words: [*words[:1], *words[4:6], *words[6:]], 'learned coronal'),
        (lambda words: [*words, '--threshold', '2'], 'threshold'),
        (lambda words: [*words, '--weights-file', 'none.json'], 'none.json'),
    ],
)
def test_wrong_calls_say_what_to_do(
    tool, prepared, networks, tmp_path, capsys, change, message
):
    words = change(networks) if message != 'either --fusion' else []
    code = tool.main([*words, str(prepared), str(tmp_path / 'out'), '-q'])
    assert code == 2
    assert message in capsys.readouterr().err


def test_a_dry_run_writes_nothing(tool, prepared, networks, tmp_path):
    out = tmp_path / 'out'
    assert tool.main([*networks, str(prepared), str(out), '-q', '--dry-run']) == 0
    assert not out.exists()
