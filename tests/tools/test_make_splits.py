import json
import random
import runpy
from pathlib import Path

import numpy as np
import pytest

from mmmed.files import hash_file
from mmmed.io import write_image
from mmmed.structures import Manifest, SplitManifest, VolumeCase

TOOL = Path(__file__).resolve().parents[2] / 'tools/make_splits.py'


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
def table(tmp_path):
    rng = random.Random(0)
    lines = ['case_id,patient_id,volume_ml,site']
    for patient in range(15):
        for scan in range(rng.randint(1, 4)):
            volume = rng.lognormvariate(3, 1)
            lines.append(f'{patient}_{scan},{patient},{volume:.1f},{"AB"[patient % 2]}')
    path = tmp_path / 'cases.csv'
    path.write_text('\n'.join(lines) + '\n')
    return path


def test_a_split_is_written_once_and_shown(table, tmp_path, run):
    out = tmp_path / 'splits.json'
    call = [table, '--out', out, '--stratify', 'volume_ml:q3', 'site', '--seed', 2]
    code, text, _ = run(*call)
    assert code == 0
    split = SplitManifest.read(out)
    assert split.metainfo['seed'] == 2
    assert f'hash {split.hash}' in text
    assert 'site A' in text
    assert run(*call)[1].splitlines()[-1] == f'{out} is this split'
    code, _, error = run(*call[:-1], 3)
    assert code == 2
    assert '--overwrite' in error
    assert run(*call[:-1], 3, '--overwrite')[0] == 0
    assert SplitManifest.read(out).hash != split.hash


def test_the_last_line_is_json_and_a_dry_run_writes_nothing(table, run):
    code, text, _ = run(table, '--dry-run', '--json', '-q', '--folds', 3)
    assert code == 0
    result = json.loads(text.splitlines()[-1])
    assert result['patients']['folds'] == [5, 5, 5]
    assert sorted(p.name for p in table.parent.iterdir()) == ['cases.csv']


def test_a_prepared_folder_gets_another_split(prepared_head_ct, tmp_path, run):
    manifest = prepared_head_ct / 'manifest.json'
    new = prepared_head_ct / 'manifest-tool.json'
    out = tmp_path / 'splits.json'
    try:
        options = ['--folds', 3, '--seed', 6, '--stratify', 'positive']
        code, _, _ = run(manifest, '--out', out, *options, '--apply', new)
        assert code == 0
        assert Manifest.read(new).split_hash == SplitManifest.read(out).hash
        assert run('--check', new, '--images', prepared_head_ct, '-q')[0] == 0
    finally:
        new.unlink(missing_ok=True)


def test_a_leak_ends_with_2_and_is_named(tmp_path, run, rng):
    for name in 'ab':
        write_image(tmp_path / f'{name}.png', rng.integers(0, 9, (8, 8), np.uint8))
    table = tmp_path / 'table.csv'
    table.write_text('case_id,patient_id,split\na,1,train\nb,2,val\n')
    call = ['--check', table, '--images', tmp_path]
    code, text, _ = run(*call)
    assert code == 0
    assert 'no overlap' in text
    (tmp_path / 'b.png').write_bytes((tmp_path / 'a.png').read_bytes())
    code, text, _ = run(*call, '--json', '-q')
    assert code == 2
    assert 'a (1; split train) and b (2; split val) have the same bytes' in text
    (finding,) = json.loads(text.splitlines()[-1])['findings']
    assert finding['kind'] == 'overlap'
    (tmp_path / 'b.png').unlink()
    assert run(*call)[0] == 3


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['{table}'],
        ['{table}', '--check', '{table}', '--out', 'x.json'],
        ['{table}', '--out', 'x.json', '--group', 'person'],
        ['{table}', '--out', 'x.json', '--stratify', 'volume'],
        ['{table}', '--out', 'x.json', '--folds', '99'],
        ['{table}', '--out', 'x.csv'],
        ['absent.csv', '--out', 'x.json'],
        ['--check', 'absent.csv'],
        ['--check', '{table}'],
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(table, run, arguments):
    code, text, error = run(*(a.format(table=table) for a in arguments))
    assert code == 2
    assert text == ''
    assert 'error: ' in error
    assert 'Traceback' not in error


def test_debug_shows_the_traceback(run):
    with pytest.raises(ValueError, match='no such file'):
        run('absent.csv', '--dry-run', '--debug')


@pytest.fixture
def volumes(tmp_path, rng):
    """Ten subjects with masks, two on the hold-out without a fold, one without mask."""
    folder = tmp_path / 'atlas'
    cases = []
    for index in range(11):
        name, is_test = f's{index}', index == 10
        (folder / name).mkdir(parents=True)
        np.save(folder / name / 't1w.npy', rng.integers(0, 9, (3, 4, 5), np.uint8))
        side = 'test' if is_test else 'val' if index < 2 else 'train'
        case = VolumeCase(
            case_id=name,
            patient_id=name,
            split=side,
            fold=index % 2 if side == 'train' else None,
            img_paths={'t1w': f'{name}/t1w.npy'},
            seg_map_path=None if is_test else f'{name}/seg.npy',
            shape=(3, 4, 5),
            spacing=(1.0, 1.0, 1.0),
            affine=((0, 0, 1, 0), (0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0, 1)),
            foreground_voxels=None if is_test else 1 + index,
            positive=None if is_test else True,
            sha256={'t1w': hash_file(folder / name / 't1w.npy'), 'seg': '0' * 64},
            extra={'site': 'R001'},
        )
        cases.append(case)
    metainfo = {
        'schema_version': 1,
        'dataset': 'atlas',
        'task': 'segmentation',
        'unit': 'volume',
        'classes': ['background', 'lesion'],
        'channels': 1,
        'num_folds': 2,
        'folds_on': 'train',
    }
    Manifest(metainfo, tuple(cases)).write(folder / 'manifest.json')
    return folder


def test_a_volume_manifest_is_audited_and_gets_another_split(volumes, run):
    manifest = volumes / 'manifest.json'
    code, text, error = run('--check', manifest, '--images', volumes, '--near', 0.99)
    assert (code, error) == (0, ''), text
    new = volumes / 'other.json'
    call = [manifest, '--out', volumes / 'splits.json', '--apply', new, '--folds', 3]
    code, _, error = run(*call, '--stratify', 'foreground_voxels:5', 'site')
    assert (code, error) == (0, '')
    moved, split = Manifest.read(new), SplitManifest.read(volumes / 'splits.json')
    assert len(split.cases) == 10
    assert moved.split_hash == split.hash
    assert [c.case_id for c in moved.select('test')] == ['s10']
    assert sum(len(moved.select('val', fold)) for fold in range(3)) == 10


def test_a_volume_on_two_sides_is_found(volumes, run):
    (volumes / 's9/t1w.npy').write_bytes((volumes / 's0/t1w.npy').read_bytes())
    code, text, _ = run('--check', volumes / 'manifest.json', '--images', volumes)
    assert code == 2
    assert 's0' in text
    assert 's9' in text


def test_lesions_get_roles_and_the_audit_finds_a_leak(prepared_lesions, tmp_path, run):
    manifest = prepared_lesions / 'manifest.json'
    out = tmp_path / 'splits.json'
    columns = ['targets.type', 'targets.ap']
    options = ['--roles', '--folds', 3, '--seed', 2, '--out', out]
    assert run(manifest, *options, '--stratify', *columns)[0] == 0
    value = json.loads(out.read_text())
    assert [sorted(map(len, fold.values())) for fold in value['folds']] == [
        [1, 2, 3],
    ] * 3  # fmt: skip
    assert (value['metainfo']['algorithm'], value['metainfo']['seed']) == (
        'stratified',
        2,
    )
    assert run('--check', out)[0] == 0
    assert run('--check', manifest, '--images', prepared_lesions)[0] == 0
    # A second lesion of a patient that validates where the first is trained on.
    case = next(c for c in value['cases'] if 'val_of' in c)
    value['cases'].append({**case, 'case_id': 'other', 'val_of': []})
    leaking = tmp_path / 'leaking.json'
    leaking.write_text(json.dumps(value))
    code, text = run('--check', leaking)[:2]
    assert code == 2
    assert f"patient '{case['patient_id']}' is in val_of" in text
    # A case that validates where it is tested.
    value['cases'].pop()
    case['val_of'] = [case['fold']]
    leaking.write_text(json.dumps(value))
    assert 'validates in the fold that tests it' in run('--check', leaking)[1]


def test_the_published_algorithm_has_published_sizes(tmp_path, run):
    table = tmp_path / 'cases.csv'
    rows = [f'c{i},p{i}' for i in range(103)]
    table.write_text('\n'.join(['case_id,patient_id', *rows]))
    out = tmp_path / 's.json'
    algorithm = ['--algorithm', 'legacy_random']
    assert run(table, *algorithm, '--out', out)[0] == 0
    folds = json.loads(out.read_text())['folds']
    sizes = [tuple(map(len, fold.values())) for fold in folds]
    assert sizes == [(65, 18, 20)] * 4 + [(65, 15, 23)]
    before = out.read_bytes()
    assert run(table, *algorithm, '--out', out)[0] == 0
    assert out.read_bytes() == before
