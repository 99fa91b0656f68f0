import json
import sys

import numpy as np
import pytest

from mmmed.functional.geometry import make_affine
from mmmed.io import open_chunked, read_volume, write_volume
from mmmed.preparation import DecathlonPreparer, InputError
from mmmed.preparation.decathlon import name_channels, parse_labels
from mmmed.structures import Manifest, Volume

pytest.importorskip('blosc2')

SHAPE = (6, 8, 10)
SPACING = (3.0, 1.0, 0.5)


class RawTask:
    """Eight cases of growing labels, and how to break them."""

    def __init__(self, root, *, with_list=True):
        self.root = root
        self.rng = np.random.default_rng(0)
        self.names = [f'organ_{i:03d}' for i in range(8)]
        for index, name in enumerate(self.names):
            self.add(name, size=index + 1)
        if with_list:
            self.write_list()

    def image(self, name):
        return self.root / 'imagesTr' / f'{name}.nii.gz'

    def label(self, name):
        return self.root / 'labelsTr' / f'{name}.nii.gz'

    def add(self, name, size):
        img = self.rng.integers(-1000, 500, SHAPE).astype(np.int16)
        seg = np.zeros(SHAPE, np.uint8)
        seg[1:3, 2:4, 1 : 1 + size] = 1
        seg[1, 2, 1] = 2
        self.write(self.image(name), img)
        self.write(self.label(name), seg)

    def write(self, path, array, affine=None, spacing=SPACING):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_volume(Volume(array, spacing, affine), path)

    def write_list(self, **changes):
        value = {
            'name': 'Organ',
            'modality': {'0': 'CT'},
            'labels': {'0': 'background', '1': 'organ', '2': 'cancer'},
            'training': [
                {
                    'image': f'./imagesTr/{name}.nii.gz',
                    'label': f'./labelsTr/{name}.nii.gz',
                }
                for name in self.names
            ],
            'test': [],
        }
        (self.root / 'dataset.json').write_text(json.dumps({**value, **changes}))


@pytest.fixture
def raw(tmp_path):
    return RawTask(tmp_path / 'raw')


def prepare(raw, out, *, run=(), **options):
    options = {'num_folds': 2} | options
    outcome = DecathlonPreparer(**options).prepare(
        raw.root, out, quiet=True, **dict(run)
    )
    return outcome, Manifest.read(out / 'manifest.json')


def find(manifest, name):
    return next(case for case in manifest.cases if case.case_id == name)


def list_problems(outcome, *, skipped):
    return [
        f'{f["path"]}: {f["problem"]}; {f["remedy"]}'
        for f in outcome.summary['findings']
        if f['skipped'] is skipped
    ]


def test_caches_hold_the_values_and_the_manifest_says_what_they_are(raw, tmp_path):
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert outcome.exit_code == 0
    meta = manifest.metainfo
    assert (meta['dataset'], meta['unit']) == ('organ', 'volume')
    assert meta['classes'] == ['background', 'organ', 'cancer']
    assert meta['channel_names'] == ['ct']
    case = find(manifest, 'organ_004')
    assert case.img_paths == {'ct': 'volumes/organ_004/ct.b2nd'}
    assert (case.shape, case.spacing) == (SHAPE, SPACING)
    assert case.foreground_voxels == 20
    assert case.extra['label_voxels'] == [480 - 20, 19, 1]
    img = open_chunked(tmp_path / 'out' / case.img_paths['ct'])
    seg = open_chunked(tmp_path / 'out' / case.seg_map_path)
    assert (img.dtype, seg.dtype) == (np.int16, np.uint8)
    wanted = read_volume(raw.image('organ_004')).reorient()
    np.testing.assert_array_equal(img.read(), wanted.array)
    labels = read_volume(raw.label('organ_004')).reorient()
    np.testing.assert_array_equal(seg.read(), labels.array)
    np.testing.assert_allclose(case.affine, wanted.affine, atol=1e-6)


def test_intensities_under_the_labels_are_in_the_manifest(raw, tmp_path):
    _, manifest = prepare(raw, tmp_path / 'out')
    values = np.concatenate(
        [
            read_volume(raw.image(n)).array[read_volume(raw.label(n)).array > 0]
            for n in raw.names
        ]
    )
    facts = manifest.metainfo['intensity']
    assert (facts['rule'], facts['unit']) == ('stored', 'HU')
    found = facts['foreground']['ct']
    assert found['voxels'] == values.size
    assert found['mean'] == pytest.approx(values.mean())
    assert found['std'] == pytest.approx(values.std())


def test_folds_are_balanced_by_labelled_volume(raw, tmp_path):
    _, manifest = prepare(raw, tmp_path / 'out')
    # Two ranks of four cases each; two of each rank are in each fold.
    small = set(raw.names[:4])
    for fold in range(2):
        members = {c.case_id for c in manifest.select('val', fold=fold)}
        assert len(members) == 4
        assert len(members & small) == 2
    _, other = prepare(raw, tmp_path / 'again', seed=1)
    assert other.split_hash != manifest.split_hash


@pytest.mark.parametrize('axes', ['LPS', 'IPL', 'RSA', 'SAR'])
def test_any_orientation_of_the_files_gives_the_same_cache(raw, tmp_path, axes):
    _, before = prepare(raw, tmp_path / 'a')
    for path in (raw.image('organ_003'), raw.label('organ_003')):
        write_volume(read_volume(path).reorient(axes), path)
    _, after = prepare(raw, tmp_path / 'b')
    assert find(after, 'organ_003').sha256 == find(before, 'organ_003').sha256
    assert find(after, 'organ_003').affine == find(before, 'organ_003').affine


def test_resampling_keeps_the_geometry_and_the_classes(raw, tmp_path):
    # A ramp along x in mm: interpolation must follow it exactly inside.
    ramp = np.broadcast_to(100 * np.arange(SHAPE[2]), SHAPE).astype(np.int16)
    raw.write(raw.image('organ_007'), ramp)
    _, manifest = prepare(raw, tmp_path / 'out', spacing_mm=(1.5, 1, 1))
    case = find(manifest, 'organ_007')
    assert (case.shape, case.spacing) == ((12, 8, 5), (1.5, 1, 1))
    img = open_chunked(tmp_path / 'out' / case.img_paths['ct']).read()
    assert img.dtype == np.int16
    assert img[5, 3].tolist() == [50, 250, 450, 650, 850]
    source = make_affine(SPACING)
    old = source @ [5.5 / 1, 3, 0.5, 1]
    new = np.array(case.affine) @ [11.5, 3, 0, 1]
    assert old[0] == pytest.approx(new[0])
    seg = open_chunked(tmp_path / 'out' / case.seg_map_path).read()
    assert set(np.unique(seg)) <= {0, 1, 2}
    assert manifest.metainfo['spacing_mm'] == [1.5, 1, 1]


def test_plain_folders_need_the_meaning_of_labels(tmp_path):
    raw = RawTask(tmp_path / 'organ', with_list=False)
    with pytest.raises(InputError, match='give --labels'):
        prepare(raw, tmp_path / 'out')
    (raw.root / 'imagesTr').rename(raw.root / 'images')
    (raw.root / 'labelsTr').rename(raw.root / 'labels')
    (raw.root / 'images' / '._organ_000.nii.gz').write_bytes(b'finder')
    _, manifest = prepare(raw, tmp_path / 'out', labels=['organ=1', 'cancer=2'])
    assert manifest.metainfo['classes'] == ['background', 'organ', 'cancer']
    assert len(manifest.cases) == 8
    # The order of the classes is the user's.
    _, other = prepare(raw, tmp_path / 'b', labels=['cancer=2', 'organ=1'])
    assert find(other, 'organ_004').extra['label_voxels'] == [460, 1, 19]


def test_bad_cases_are_named_and_the_others_prepared(raw, tmp_path):
    names = raw.names
    raw.image(names[0]).write_bytes(b'\x1f\x8bnothing')
    raw.write(raw.label(names[1]), np.ones((6, 8, 9), np.uint8))
    moved = make_affine(SPACING) + np.eye(4)[:, [3]] @ np.zeros((1, 4))
    moved[0, 3] += 4
    raw.write(raw.label(names[2]), np.ones(SHAPE, np.uint8), moved)
    raw.write(raw.label(names[3]), np.full(SHAPE, 9, np.uint8))
    img = np.zeros(SHAPE, np.float32)
    img[0, 0, 0] = np.nan
    raw.write(raw.image(names[4]), img)
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert outcome.exit_code == 3
    assert [c.case_id for c in manifest.cases] == names[5:]
    text = '\n'.join(list_problems(outcome, skipped=True))
    for part in (
        f'imagesTr/{names[0]}.nii.gz: not a readable NIfTI',
        f'labelsTr/{names[1]}.nii.gz: (6, 8, 9) voxels (Z, Y, X), its image has',
        f'labelsTr/{names[2]}.nii.gz: voxels lie up to 4 mm from those of its image',
        f'labelsTr/{names[3]}.nii.gz: labels that are not known: 9 (480 voxels)',
        f'imagesTr/{names[4]}.nii.gz: ',
    ):
        assert part in text


def test_a_label_map_may_be_laid_onto_its_image(raw, tmp_path):
    seg = read_volume(raw.label('organ_002')).array
    raw.write(raw.label('organ_002'), np.array(seg), make_affine((1, 1, 1)), (1, 1, 1))
    outcome, _ = prepare(raw, tmp_path / 'a')
    assert 'its voxel size is 1 mm' in list_problems(outcome, skipped=True)[0]
    outcome, manifest = prepare(raw, tmp_path / 'b', trust_image_grid=True)
    assert outcome.exit_code == 0
    assert 'laid onto the image' in list_problems(outcome, skipped=False)[0]
    assert find(manifest, 'organ_002').foreground_voxels == 12


def test_oddities_are_reported_and_kept(raw, tmp_path):
    raw.write(raw.label('organ_000'), np.zeros(SHAPE, np.uint8))
    img = read_volume(raw.image('organ_001')).array
    raw.write(raw.image('organ_002'), np.array(img))
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert outcome.exit_code == 0
    assert find(manifest, 'organ_000').positive is False
    problems = list_problems(outcome, skipped=False)
    assert any('the label map is empty' in p for p in problems)
    assert any('the same image as organ_001' in p for p in problems)


def test_several_channels_become_sequences(raw, tmp_path):
    for name in raw.names:
        array = raw.rng.integers(0, 99, (2, *SHAPE)).astype(np.uint8)
        raw.write(raw.image(name), array)
    raw.write_list(modality={'0': 'T2', '1': 'ADC map'})
    _, manifest = prepare(raw, tmp_path / 'out')
    case = manifest.cases[-1]
    assert list(case.img_paths) == ['t2', 'adc_map']
    stored = open_chunked(tmp_path / 'out' / case.img_paths['adc_map']).read()
    np.testing.assert_array_equal(stored, array[1])
    raw.write_list()
    with pytest.raises(InputError, match=r'2 channel\(s\), expected 1 \(ct\)'):
        prepare(raw, tmp_path / 'b')


def test_test_images_are_left_out_unless_wished(raw, tmp_path):
    array = raw.rng.integers(0, 99, SHAPE).astype(np.int16)
    raw.write(raw.root / 'imagesTs' / 'organ_100.nii.gz', array)
    raw.write_list(test=['./imagesTs/organ_100.nii.gz'])
    assert len(prepare(raw, tmp_path / 'a')[1].cases) == 8
    _, manifest = prepare(raw, tmp_path / 'b', with_test=True)
    case = find(manifest, 'organ_100')
    assert (case.split, case.fold, case.seg_map_path) == ('test', None, None)


def test_parts_and_any_number_of_workers_make_the_same_bytes(raw, tmp_path, read_files):
    prepare(raw, tmp_path / 'whole')
    prepare(raw, tmp_path / 'threads', run={'workers': 3})
    preparer = DecathlonPreparer(num_folds=2)
    for part in range(2):
        preparer.prepare(
            raw.root, tmp_path / 'parts', quiet=True, num_parts=2, part_id=part
        )
    preparer.prepare(raw.root, tmp_path / 'parts', quiet=True, num_parts=2, merge=True)
    wanted = read_files(tmp_path / 'whole')
    assert read_files(tmp_path / 'threads') == wanted
    assert read_files(tmp_path / 'parts') == wanted
    again, _ = prepare(raw, tmp_path / 'whole')
    assert again.status == 'unchanged'


def test_a_hostile_list_reaches_no_file_outside(raw, tmp_path):
    (tmp_path / 'secret.nii.gz').write_bytes(raw.image('organ_000').read_bytes())
    for path in ('../secret.nii.gz', str(tmp_path / 'secret.nii.gz')):
        raw.write_list(training=[{'image': path, 'label': path}])
        with pytest.raises(InputError, match=r'dataset\.json: training\[0\]: image'):
            prepare(raw, tmp_path / 'out')
    link = raw.image('organ_000')
    link.unlink()
    link.symlink_to(tmp_path / 'secret.nii.gz')
    raw.write_list()
    outcome, _ = prepare(raw, tmp_path / 'out')
    assert 'organ_000.nii.gz: in dataset.json, but not there' in '\n'.join(
        list_problems(outcome, skipped=True)
    )


def test_a_wrong_call_is_one_clear_error(raw, tmp_path):
    for options, reason in (
        ({'spacing_mm': (1, 0, 1)}, '--spacing-mm'),
        ({'labels': ['organ']}, '--labels'),
        ({'labels': ['a=1', 'b=1']}, 'twice'),
        ({'labels': ['background=1']}, 'same name'),
        ({'modality': ['CT', 'ct']}, '--modality'),
    ):
        with pytest.raises(InputError, match=reason):
            prepare(raw, tmp_path / 'out', **options)
    empty = RawTask(tmp_path / 'empty', with_list=False)
    (empty.root / 'imagesTr').rename(empty.root / 'other')
    with pytest.raises(InputError, match=r'neither dataset\.json nor folders'):
        prepare(empty, tmp_path / 'out')


def test_without_the_package_nothing_is_begun(raw, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'blosc2', None)
    with pytest.raises(InputError, match=r'pip install "mmmed\[volumes\]"'):
        prepare(raw, tmp_path / 'out')


def test_texts_of_the_command_line():
    assert parse_labels(['anterior=1', 'left kidney=12']) == {
        1: 'anterior',
        12: 'left kidney',
    }
    assert name_channels(['T1-weighted MRI', 'FLAIR']) == ('t1_weighted_mri', 'flair')


@pytest.mark.data
def test_the_hippocampus_volumes(sample_data, tmp_path):
    class Raw:
        root = sample_data / 'hippocampus'

    labels = ['anterior=1', 'posterior=2']
    outcome, manifest = prepare(
        Raw, tmp_path / 'out', labels=labels, num_folds=3, modality=['MRI']
    )
    assert outcome.exit_code == 0
    assert len(manifest.cases) == 42
    for fold in range(3):
        assert len(manifest.select('val', fold=fold)) == 14
    for case in manifest.cases:
        seg = open_chunked(tmp_path / 'out' / case.seg_map_path).read()
        assert seg.shape == case.shape
        assert np.bincount(seg.ravel()).tolist() == case.extra['label_voxels']
        assert min(case.extra['label_voxels']) > 500
