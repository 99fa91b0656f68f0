import json
import shutil

import numpy as np
import pytest

from mmmed.io import write_volume
from mmmed.phantoms import make_lesion_cohort, write_lesion_raw
from mmmed.preparation import InputError, LesionROIPreparer
from mmmed.structures import Manifest, Volume

SEQUENCES = ('lap', 'delay', 'adc')


def write_raw(out, layout='crops', patients=6, **options):
    options = {'shape': (6, 20, 24), 'sequences': SEQUENCES, 'seed': 3} | options
    write_lesion_raw(out, make_lesion_cohort(patients, **options), layout)
    return out


def prepare(raw, out, **options):
    run = {n: options.pop(n) for n in ('overwrite', 'dry_run') if n in options}
    options = {'num_folds': 3, 'targets': ['type', 'ap']} | options
    preparer = LesionROIPreparer(**options)
    outcome = preparer.prepare(raw, out, quiet=True, **run)
    return outcome, Manifest.read(out / 'manifest.json')


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp('crops') / 'raw')


@pytest.fixture(scope='module')
def prepared(raw):
    return (raw.parent / 'out', *prepare(raw, raw.parent / 'out'))


def test_crops_become_a_manifest(raw, prepared):
    out, outcome, manifest = prepared
    meta = manifest.metainfo
    assert (outcome.exit_code, meta['unit'], meta['task']) == (
        0,
        'roi',
        'classification',
    )
    assert meta['sequences'] == list(SEQUENCES)
    assert meta['targets']['ap'] == ['none', 'wash_in', 'ring', 'nodular']
    assert meta['normalisation']['adc'] == {
        'rule': 'window',
        'low': 0.0,
        'high': 3000.0,
    }
    assert meta['normalisation']['lap'] == {'rule': 'zscore'}
    case = manifest.cases[0]
    folder = sorted(p.name for p in raw.iterdir() if p.is_dir())[0]
    assert (case.case_id, case.patient_id) == (folder, 'LP_0000')
    assert case.size_mm == float(folder.rsplit('_', 1)[1][:-2])
    grid = case.grids['lap']
    assert (grid.shape, grid.spacing) == ((6, 20, 24), (2.5, 1.25, 1.25))
    array = np.load(out / case.img_paths['lap'], allow_pickle=False)
    assert (array.shape, array.dtype) == ((6, 20, 24), np.int16)
    assert case.extra['intensity']['lap']['mean'] == pytest.approx(array.mean())


def test_every_fold_trains_validates_and_tests_on_other_patients(prepared):
    manifest = prepared[2]
    for fold in range(3):
        parts = [
            {c.patient_id for c in manifest.select_role(role, fold)}
            for role in ('train', 'val', 'test')
        ]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts)) == 6
    assert prepared[1].summary['sequences'] == dict.fromkeys(SEQUENCES, 6)
    assert prepared[1].summary['splits']['all']['classes']['type']['cyst'] == 1


def test_a_second_run_has_nothing_to_do_and_another_option_is_refused(raw, prepared):
    out = prepared[0]
    before = (out / 'manifest.json').read_bytes()
    assert prepare(raw, out)[0].status == 'unchanged'
    assert (out / 'manifest.json').read_bytes() == before
    with pytest.raises(InputError, match='prepared differently'):
        prepare(raw, out, spacing_mm=(2, 2, 2))


def test_volumes_are_cropped_around_the_lesion_and_padded(tmp_path):
    raw = write_raw(tmp_path / 'raw', 'volumes', patients=3)
    manifest = prepare(raw, tmp_path / 'out')[1]
    case = manifest.cases[0]
    assert case.case_id == 'LP_0000_lesion0'
    # max(2 d, 50) mm of voxels of 1.25 mm, 1.5 d of 2.5 mm; the image is smaller.
    depth = 2 * min(round(1.5 * case.size_mm / 5), 4) + 1
    assert case.grids['lap'].shape == (depth, 40, 40)
    array = np.load(tmp_path / 'out' / case.img_paths['lap'], allow_pickle=False)
    assert array[:, 0].max() == 0
    assert array[depth // 2, 20, 20] > 0
    assert case.extra['padded']['lap'] > 0.5
    # A joint grid has the lesion in its middle voxel, in all sequences.
    manifest = prepare(raw, tmp_path / 'joint', size=(5, 12, 10), spacing_mm=(3, 2, 2))[
        1
    ]
    grids = manifest.cases[0].grids
    assert {g.shape for g in grids.values()} == {(5, 12, 10)}
    assert len({g.affine for g in grids.values()}) == 1
    place = np.array(grids['lap'].affine) @ (2, 6, 5, 1)
    np.testing.assert_allclose(
        place[:3], manifest.cases[0].extra['source']['centers_mm']['lap'], atol=1e-3
    )


def test_volumes_with_masks_and_a_table(tmp_path):
    raw = write_raw(tmp_path / 'raw', 'masks', patients=3)
    options = {'labels_csv': raw / 'labels.csv', 'targets': []}
    manifest = prepare(raw, tmp_path / 'out', **options)[1]
    assert list(manifest.metainfo['targets']) == ['type']
    assert [case.targets['type'] for case in manifest.cases] == [0, 1, 2]
    # Longest side of the mask: 7 to 12.5 mm, drawn irregularly.
    assert all(6 < case.size_mm < 17 for case in manifest.cases)


def test_lld_mmri_as_published(tmp_path):
    raw = write_raw(
        tmp_path / 'raw', 'lld', patients=5, sequences=('t2', 'lap', 'delay'),
        missing_labels=0.3, seed=1,
    )  # fmt: skip
    manifest = prepare(raw, tmp_path / 'out', targets=[], num_folds=2)[1]
    assert manifest.metainfo['layout'] == 'lld-mmri'
    assert manifest.metainfo['sequences'] == ['t2wi', 'c_a', 'c_delay']
    assert len(manifest.metainfo['targets']['type']) == 7
    labels = [case.targets['type'] for case in manifest.cases]
    assert None in labels
    assert 6 in labels
    assert all(
        (c.split == 'test') == (c.targets['type'] is None) for c in manifest.cases
    )
    # The published crops: one folder a case, labels in a text file.
    crops = tmp_path / 'classification_dataset'
    (crops / 'labels').mkdir(parents=True)
    lines = []
    for number, case in enumerate(manifest.cases):
        name = f'MR{number}' if number != 1 else 'MR0_1'
        for phase, path in zip(
            ('T2WI', 'C+A', 'C+Delay'), case.img_paths.values(), strict=True
        ):
            array = np.load(tmp_path / 'out' / path, allow_pickle=False)
            write_volume(
                Volume(array, (1, 1, 1)), crops / 'images' / name / f'{phase}.nii.gz'
            )
        lines.append(f'{name} {-1 if labels[number] is None else labels[number]}')
    (crops / 'labels' / 'labels.txt').write_text('\n'.join(lines))
    again = prepare(crops, tmp_path / 'crops', size=(4, 8, 8), targets=[], num_folds=2)[
        1
    ]
    assert [case.targets['type'] for case in again.cases] == [
        labels[0], labels[1], *labels[2:],
    ]  # fmt: skip
    assert again.cases[1].patient_id == 'MR0'
    assert again.cases[0].grids['c_a'].shape == (4, 8, 8)


def test_gaps_missing_labels_and_missing_sequences_are_kept(raw, tmp_path):
    copy = shutil.copytree(raw, tmp_path / 'raw')
    folders = sorted(p for p in copy.iterdir() if p.is_dir())
    (copy / 'classes.json').unlink()
    for number, folder in enumerate(folders):
        path = folder / 'annotations.json'
        value = json.loads(path.read_text())
        record = value.pop('0')
        record['mvi'] = '' if number == 2 else str(2 * (number % 2))
        record['note'] = 'irregular margin'
        if number == 1:
            record['nifti_files'] = "['lap.nii.gz', 'gone.nii.gz']"
            record['phy_loc_xyz'] = record['distance'] = ''
        path.write_text(json.dumps({'a': record}))
    outcome, manifest = prepare(copy, tmp_path / 'out', targets=[])
    assert manifest.metainfo['targets']['mvi'] == ['0', '1', '2']
    assert 'note' not in manifest.metainfo['targets']
    assert [c.targets['mvi'] for c in manifest.cases] == [0, 2, None, 2, 0, 2]
    assert list(manifest.cases[1].img_paths) == ['lap']
    assert manifest.cases[1].size_mm is not None  # of the folder's name
    counts = outcome.summary['splits']['all']['classes']['mvi']
    assert counts == {'0': 2, '1': 0, '2': 3, 'missing': 1}
    problems = [f['problem'] for f in outcome.summary['findings']]
    assert any("'gone.nii.gz' is listed but not there" in text for text in problems)
    assert any("'note' of annotations holds no class" in text for text in problems)
    assert any('does not list: adc.nii.gz' in text for text in problems)


def test_a_malicious_annotation_costs_one_case(raw, tmp_path, monkeypatch):
    copy = shutil.copytree(raw, tmp_path / 'raw')
    path = sorted(copy.glob('*/annotations.json'))[0]
    value = json.loads(path.read_text())
    value['0']['nifti_files'] = "__import__('os').system('touch ran')"
    path.write_text(json.dumps(value))
    monkeypatch.chdir(tmp_path)
    outcome, manifest = prepare(copy, tmp_path / 'out')
    assert (outcome.exit_code, len(manifest.cases)) == (3, 5)
    (finding,) = (f for f in outcome.summary['findings'] if f['skipped'])
    assert finding['path'] == f'{path.parent.name}/annotations.json'
    assert 'is no plain list' in finding['problem']
    assert 'JSON list' in finding['remedy']
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'targets': ['grade']}, r"no annotation has a target 'grade'"),
        ({'normalize': ['t9=zscore']}, "names 't9'; there are lap"),
        ({'normalize': ['t2=best']}, "rule 'best', expected"),
        ({'size': (1, 0, 3)}, '--size'),
        ({'most_slices': 8}, 'expected odd'),
        ({'patient_pattern': '(x'}, r'is wrong'),
    ],
)
def test_a_wrong_call_is_named(raw, tmp_path, options, text):
    with pytest.raises(InputError, match=text):
        prepare(raw, tmp_path / 'out', **options)


def test_a_folder_without_lesions_is_refused(tmp_path):
    (tmp_path / 'raw' / 'x').mkdir(parents=True)
    with pytest.raises(InputError, match='no folder has an annotations'):
        prepare(tmp_path / 'raw', tmp_path / 'out')


def test_an_interrupted_run_goes_on(raw, prepared, tmp_path, monkeypatch):
    done = []
    convert = LesionROIPreparer.convert

    def stop(self, task):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(task.name)
        return convert(self, task)

    monkeypatch.setattr(LesionROIPreparer, 'convert', stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(raw, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    monkeypatch.setattr(LesionROIPreparer, 'convert', convert)
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert outcome.reused == 4
    assert manifest == prepared[2]
