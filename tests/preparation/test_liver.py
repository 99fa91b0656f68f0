import json

import numpy as np
import pytest

from mmmed.io import open_chunked, read_volume, write_volume
from mmmed.preparation import InputError, LiverPreparer
from mmmed.preparation.organ_sources import identify_patient
from mmmed.structures import Manifest, Volume
from mmmed.structures.datalist import Datalist

pytest.importorskip('blosc2')

SHAPE = (6, 8, 10)
SPACING = (3.0, 1.0, 0.5)
LITS = '04_LiTS/img/liver_{}.nii.gz'
MSD = '10_Decathlon/Task03_Liver/imagesTr/liver_{}.nii.gz'


class RawOrgans:
    """Two scans of each healthy collection, six of LiTS, three of them in MSD too."""

    def __init__(self, root):
        self.root = root
        self.rng = np.random.default_rng(0)
        self.images = {}
        for number in (1, 2):
            self.add(f'01_Multi-Atlas_Labeling/img/img000{number}.nii.gz', organ=6)
            self.add(f'02_TCIA_Pancreas-CT/img/PANCREAS_000{number}.nii.gz', organ=6)
            self.add(f'03_CHAOS/ct/img/1{number}_image.nii.gz')
        for number in range(30, 36):
            tumor = 0 if number in (32, 34) else number - 29
            self.add(LITS.format(number), tumor=tumor)
            if number > 32:
                self.add(MSD.format(number), tumor=tumor, like=LITS.format(number))

    def label_path(self, image):
        for old, new in (
            ('/img/img', '/label/label'),
            ('/img/PANCREAS_', '/multiorgan_label/label'),
            ('ct/img', 'ct/liver_label'),
            ('_image', '_segmentation'),
            ('LiTS/img', 'LiTS/label'),
            ('imagesTr', 'labelsTr'),
        ):
            image = image.replace(old, new)
        return self.root / image

    def add(self, image, *, organ=1, tumor=0, like=None):
        array = self.images.get(like)
        if array is None:
            array = self.rng.integers(-1000, 500, SHAPE).astype(np.int16)
        self.images[image] = array
        seg = np.zeros(SHAPE, np.uint8)
        seg[1:5, 2:7, 1:9] = organ
        if organ == 6:
            seg[0] = 11  # pancreas
        seg[2, 3, 1 : 1 + tumor] = 2
        self.write(self.root / image, array)
        self.write(self.label_path(image), seg)

    def write(self, path, array, affine=None, spacing=SPACING):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_volume(Volume(array, spacing, affine), path)


@pytest.fixture
def raw(tmp_path):
    return RawOrgans(tmp_path / 'raw')


def prepare(raw, out, *, run=(), **options):
    options = {'num_folds': 2} | options
    outcome = LiverPreparer(**options).prepare(raw.root, out, quiet=True, **dict(run))
    return outcome, Manifest.read(out / 'manifest.json')


def find(manifest, name):
    return next(case for case in manifest.cases if case.case_id == name)


def list_problems(outcome, *, skipped):
    return [
        f'{f["path"]}: {f["problem"]}; {f["remedy"]}'
        for f in outcome.summary['findings']
        if f['skipped'] is skipped
    ]


def test_labels_of_every_source_become_organ_and_tumor(raw, tmp_path):
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert outcome.exit_code == 0
    assert manifest.metainfo['classes'] == ['background', 'liver', 'tumor']
    assert manifest.metainfo['intensity']['unit'] == 'HU'
    assert len(manifest.cases) == 15
    for name in ('btcv-0001', 'pancreas-ct-0002', 'chaos-11', 'lits-32'):
        case = find(manifest, name)
        assert case.extra['label_voxels'] == [320, 160, 0]
        assert case.extra['healthy'] is True
    case = find(manifest, 'lits-33')
    assert case.extra['label_voxels'] == [320, 156, 4]
    assert (case.extra['healthy'], case.extra['tumor_labelled']) == (False, True)
    assert find(manifest, 'btcv-0001').extra['tumor_labelled'] is False
    assert case.extra['source']['name'] == 'lits'
    assert case.extra['source']['img'] == LITS.format(33)
    seg = open_chunked(tmp_path / 'out' / case.seg_map_path).read()
    np.testing.assert_array_equal(seg[2, 3, 1:6], [2, 2, 2, 2, 1])
    assert outcome.summary['sources']['lits'] == {'cases': 6, 'healthy': 2}


def test_a_scan_of_two_collections_is_one_patient(raw, tmp_path):
    for seed in range(4):
        outcome, manifest = prepare(raw, tmp_path / f'out{seed}', seed=seed)
        for number in (33, 34, 35):
            twins = [find(manifest, f'{s}-{number}') for s in ('lits', 'msd-liver')]
            assert {c.patient_id for c in twins} == {f'lits-{number}'}
            assert len({(c.split, c.fold) for c in twins}) == 1
    assert (
        '3 scan(s) are in two collections' in list_problems(outcome, skipped=False)[0]
    )


def test_each_fold_has_healthy_and_tumor_scans(raw, tmp_path):
    _, manifest = prepare(raw, tmp_path / 'out')
    for fold in range(2):
        chosen = manifest.select('val', fold=fold)
        patients = {c.patient_id: c.extra['healthy'] for c in chosen}
        assert sum(patients.values()) == 4
        assert len(patients) == 6


def test_the_other_organs(raw, tmp_path):
    _, manifest = prepare(raw, tmp_path / 'a', organ='pancreas')
    assert manifest.metainfo['classes'] == ['background', 'pancreas', 'tumor']
    assert [c.extra['label_voxels'] for c in manifest.cases] == [[400, 80, 0]] * 4
    outcome = LiverPreparer(organ='kidney', num_folds=2)
    with pytest.raises(InputError, match=r'no usable image; .*no voxel of the kidney'):
        outcome.prepare(raw.root, tmp_path / 'b', quiet=True)
    for number in range(4):
        folder = raw.root / 'kits23' / f'case_0000{number}'
        raw.write(folder / 'imaging.nii.gz', raw.images[LITS.format(30)] + number)
        seg = np.zeros(SHAPE, np.uint8)
        seg[1, 1:5, 0:3] = [1, 2, 3]
        raw.write(folder / 'segmentation.nii.gz', seg)
    outcome, manifest = prepare(raw, tmp_path / 'c', organ='kidney')
    assert outcome.exit_code == 3
    assert [c.case_id for c in manifest.cases] == [f'kits-0000{n}' for n in range(4)]
    assert manifest.cases[0].extra['label_voxels'] == [468, 8, 4]


def test_bad_scans_are_isolated_and_named(raw, tmp_path):
    bad = [LITS.format(n) for n in (30, 31)] + ['03_CHAOS/ct/img/11_image.nii.gz']
    (raw.root / bad[0]).write_bytes(b'')
    raw.write(raw.label_path(bad[1]), np.zeros(SHAPE, np.uint8))
    seg = read_volume(raw.label_path(bad[2])).array
    raw.write(raw.label_path(bad[2]), np.array(seg), None, (1, 1, 1))
    tumor_only = np.zeros(SHAPE, np.uint8)
    tumor_only[1, 1, 1] = 2
    raw.write(raw.label_path(LITS.format(35)), tumor_only)
    odd = np.zeros(SHAPE, np.uint8)
    odd[2] = 77
    raw.write(raw.label_path('01_Multi-Atlas_Labeling/img/img0002.nii.gz'), odd)
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert outcome.exit_code == 3
    assert len(manifest.cases) == 10
    text = '\n'.join(list_problems(outcome, skipped=True))
    for part in (
        f'{bad[0]}: not a readable NIfTI',
        'label/liver_31.nii.gz: no voxel of the liver (label 1), nothing of it',
        'label/liver_35.nii.gz: no voxel of the liver (label 1), only tumor',
        '11_segmentation.nii.gz: voxels lie up to',
        'its voxel size is 1 mm, that of the image (3.0, 1.0, 0.5)',
        'label0002.nii.gz: labels that are not known: 77 (80 voxels)',
    ):
        assert part in text


def test_lost_voxel_sizes_and_windowed_values_are_reported(raw, tmp_path):
    image = '03_CHAOS/ct/img/11_image.nii.gz'
    array = np.zeros((2, 512, 512), np.uint8)
    array[0, 0, 0] = 1
    raw.write(raw.root / image, array, None, (1, 1, 1))
    raw.write(raw.label_path(image), array, None, (1, 1, 1))
    outcome, manifest = prepare(raw, tmp_path / 'out')
    assert outcome.exit_code == 0
    text = '\n'.join(list_problems(outcome, skipped=False))
    assert f'{image}: a voxel size of exactly 1 mm for [2, 512, 512] voxels' in text
    assert f'{image}: values from 0 to 1, without the air of CT numbers' in text
    assert find(manifest, 'chaos-11').extra['source']['lost_spacing'] is True


@pytest.mark.parametrize('axes', ['LPS', 'IPL'])
def test_geometry_survives_any_axes_and_resampling(raw, tmp_path, axes):
    path = raw.root / LITS.format(33)
    _, before = prepare(raw, tmp_path / 'a', spacing_mm=(1, 1, 1))
    for file in (path, raw.label_path(LITS.format(33))):
        write_volume(read_volume(file).reorient(axes), file)
    _, after = prepare(raw, tmp_path / 'b', spacing_mm=(1, 1, 1))
    case = find(after, 'lits-33')
    assert (case.shape, case.spacing) == ((18, 8, 5), (1, 1, 1))
    np.testing.assert_allclose(case.affine, find(before, 'lits-33').affine, atol=1e-5)
    assert case.sha256 == find(before, 'lits-33').sha256
    img = open_chunked(tmp_path / 'b' / case.img_paths['ct']).read()
    wanted = read_volume(path).reorient().resample((1, 1, 1)).array
    np.testing.assert_array_equal(img, np.rint(wanted))
    # 4 x 5 x 8 voxels: 12 and 5 mm, and 3 mm, as halves of a voxel along X are ties,
    # which the smaller label wins.
    assert sum(case.extra['label_voxels'][1:]) == 12 * 5 * 3


def test_lists_of_healthy_real_and_mixed_scans(raw, tmp_path, read_files):
    outcome, manifest = prepare(raw, tmp_path / 'out', write_datalists=True)
    assert outcome.exported == [
        f'wrote 6 lists of scans to {tmp_path / "out_datalists"}'
    ]
    folder = tmp_path / 'out_datalists'
    for fold in range(2):
        lists = {
            kind: Datalist.read(
                folder / f'{kind}_{fold}.json', identify=identify_patient
            )
            for kind in ('healthy', 'real', 'mixed')
        }
        wanted = {
            c.extra['source']['img']
            for c in manifest.select('val', fold=fold)
            if not c.extra['healthy']
        }
        for datalist in lists.values():
            assert {e.image for e in datalist.validation} == wanted
        healthy, real = lists['healthy'].training, lists['real'].training
        assert set(lists['mixed'].training) == {*healthy, *real}
        assert not {*healthy} & {*real}
        for entry in (*healthy, *real):
            assert (raw.root / entry.image).is_file()
    # Labels that need a transfer are written on the voxels of their source.
    made = {n for n in read_files(folder) if n.startswith('label/')}
    assert made == {
        f'label/{name}-000{n}.nii.gz'
        for name in ('btcv', 'pancreas-ct')
        for n in (1, 2)
    }
    label = read_volume(folder / 'label' / 'btcv-0001.nii.gz')
    source = read_volume(raw.label_path('01_Multi-Atlas_Labeling/img/img0001.nii.gz'))
    source.check_grid(label)
    np.testing.assert_array_equal(label.array, source.array == 6)
    before = read_files(folder)
    again, _ = prepare(raw, tmp_path / 'out', write_datalists=True)
    assert again.status == 'unchanged'
    assert read_files(folder) == before


def write_list(path, training, validation):
    def make(image):
        return {'image': image, 'label': image.replace('images', 'labels')}

    lists = {
        'training': list(map(make, training)),
        'validation': list(map(make, validation)),
    }
    path.write_text(json.dumps(lists))
    return path


def test_a_published_list_defines_the_split(raw, tmp_path):
    path = write_list(
        tmp_path / 'fold_0.json',
        ['CT/03_CHAOS/ct/img/11_image.nii.gz', 'CT/' + LITS.format(32),
         'CT/' + LITS.format(30), 'CT/03_CHAOS/ct/img/99_image.nii.gz'],
        ['imagesTr/liver_33.nii.gz', 'imagesTr/liver_35.nii.gz'],
    )  # fmt: skip
    outcome, manifest = prepare(raw, tmp_path / 'out', datalist=path)
    sides = {c.case_id: c.split for c in manifest.cases}
    train = {name for name, side in sides.items() if side == 'train'}
    assert train == {'chaos-11', 'lits-32', 'lits-30'}
    # The validation scans count in both collections that have them.
    val = {name for name, side in sides.items() if side == 'val'}
    assert val == {'lits-33', 'lits-35', 'msd-liver-33', 'msd-liver-35'}
    assert sides['btcv-0001'] == 'test'
    assert manifest.metainfo['datalist']['name'] == 'fold_0.json'
    assert '1 of its 6 scans are not in the raw folder, first chaos-99' in '\n'.join(
        list_problems(outcome, skipped=True)
    )


def test_a_list_that_leaks_is_refused(raw, tmp_path):
    """Also where the two sides name the scan in two collections."""
    for training in (MSD.format(33), 'CT/' + LITS.format(33)):
        path = write_list(
            tmp_path / 'real_3.json', [training], ['imagesTr/liver_33.nii.gz']
        )
        with pytest.raises(InputError, match=r'real_3\.json: 1 of 1 .*liver_33'):
            prepare(raw, tmp_path / 'out', datalist=path)
    path = write_list(tmp_path / 'a.json', [LITS.format(33)], [])
    with pytest.raises(InputError, match='no validation scans'):
        prepare(raw, tmp_path / 'out', datalist=path)
    path = write_list(tmp_path / 'b.json', [LITS.format(33)], [LITS.format(99)])
    with pytest.raises(InputError, match='none of its validation scans'):
        prepare(raw, tmp_path / 'out', datalist=path)
    path.write_text('{"training": [{"image": "../../etc/passwd"}]}')
    with pytest.raises(InputError, match='leaves its folder'):
        prepare(raw, tmp_path / 'out', datalist=path)


def test_parts_make_the_same_bytes(raw, tmp_path, read_files):
    prepare(raw, tmp_path / 'whole', run={'workers': 2})
    for part in (1, 0):
        LiverPreparer(num_folds=2).prepare(
            raw.root, tmp_path / 'parts', quiet=True, num_parts=2, part_id=part
        )
    prepare(raw, tmp_path / 'parts', run={'num_parts': 2, 'merge': True})
    assert read_files(tmp_path / 'parts') == read_files(tmp_path / 'whole')
