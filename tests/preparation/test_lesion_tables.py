import csv

import numpy as np
import pytest

from mmmed.functional.packed_bits import pack_mask
from mmmed.preparation.findings import InputError
from mmmed.preparation.lesion_regions import RegionMap
from mmmed.preparation.lesion_tables import build_tables, write_tables
from mmmed.structures.manifest import Manifest
from mmmed.structures.volume_case import VolumeCase

SHAPE = (20, 30, 25)
# Voxel of 2 x 1 x 1 mm: a slice's pixel is 1 mm2 (axial) or 2 mm2.
SPACING = (2.0, 1.0, 1.0)
HEAD = 'subject_name,{}number_of_lesion,sum_voxel,max_size,' + ','.join(
    f'lesion_size_{k}' for k in range(1, 11)
)


def make_masks() -> dict[str, np.ndarray | None]:
    big, two, none = (np.zeros(SHAPE, bool) for _ in range(3))
    big[2:17, 5:25, 3:23] = True  # 6000 voxels, 12 000 mm3
    two[4, 6, 7:9] = two[6, 6, 7:10] = True
    return {'sub-a': big, 'sub-b': two, 'sub-c': none, 'sub-d': None}


@pytest.fixture
def prepared(tmp_path):
    cases = []
    for name, mask in make_masks().items():
        path = f'volumes/{name}/seg.npy'
        if mask is not None:
            (tmp_path / path).parent.mkdir(parents=True)
            np.save(tmp_path / path, pack_mask(mask))
        cases.append(
            VolumeCase(
                case_id=name,
                patient_id=name,
                split='train' if mask is not None else 'test',
                fold=0 if mask is not None else None,
                img_paths={'t1w': f'volumes/{name}/t1w.npy'},
                seg_map_path=None if mask is None else path,
                shape=SHAPE,
                spacing=SPACING,
                affine=((0, 0, 1, 0), (0, 1, 0, 0), (2.0, 0, 0, 0), (0, 0, 0, 1)),
                foreground_voxels=None if mask is None else int(mask.sum()),
                positive=None if mask is None else bool(mask.any()),
                sha256={'t1w': 'a' * 64} | ({} if mask is None else {'seg': 'b' * 64}),
                extra={'site': 'R001'},
            )
        )
    metainfo = {
        'schema_version': 1,
        'dataset': 'atlas',
        'task': 'segmentation',
        'unit': 'volume',
        'classes': ['background', 'lesion'],
        'channels': 1,
        'num_folds': 2,
        'semi_synthetic': True,
    }
    Manifest(metainfo, tuple(cases)).write(tmp_path / 'manifest.json')
    return tmp_path


def test_files_by_hand(prepared, tmp_path):
    out = tmp_path / 'out'
    files = write_tables(build_tables(prepared, quiet=True), out)
    assert set(files) == {path.name for path in out.iterdir()}
    text = (out / 'lesions_volume.csv').read_text()
    assert text == (
        HEAD.format('')
        + '\nsub-a,1,6000,6000,6000,,,,,,,,,\nsub-b,2,5,3,2,3,,,,,,,,\n'
        + 'sub-c,0,0,0,,,,,,,,,,\n'
    )
    lines = (out / 'lesions_axial.csv').read_text().splitlines()
    assert lines[0] == HEAD.format('slice,')
    assert lines[1] == 'sub-a,2,1,400,400,400,,,,,,,,,'
    assert lines[-2:] == ['sub-b,4,1,2,2,2,,,,,,,,,', 'sub-b,6,1,3,3,3,,,,,,,,,']
    assert len(lines) == 1 + 15 + 2
    coronal = (out / 'lesions_coronal.csv').read_text().splitlines()
    assert coronal[-1] == 'sub-b,6,2,5,3,2,3,,,,,,,,'


def test_legacy_names_and_heading(prepared, tmp_path):
    out = tmp_path / 'out'
    tables = build_tables(prepared, ['sagittal'], quiet=True)
    write_tables(tables, out, legacy_columns=True)
    names = {path.name for path in out.iterdir()}
    assert names == {
        'ATLAS_Lesion_information_for_3D_MRI_Subject.csv',
        'ATLAS_Sagittal_Lesion_information.csv',
        'subjects.csv',
        'strata.csv',
    }
    text = (out / 'ATLAS_Sagittal_Lesion_information.csv').read_text()
    assert text.splitlines()[0] == HEAD.format('slide,')


def test_categories_count_mm_and_not_voxels(prepared):
    tables = build_tables(prepared, workers=1, quiet=True)
    # 12 000 and 10 mm3; the subject without a lesion is in no category.
    counts = [row['count'] for row in tables.count_strata('volume')]
    assert counts == [1, 1, 0, 0, 0, 0]
    assert tables.count_strata('volume')[1]['share'] == 0.5
    # Axial 400 mm2 on 15 slices; coronal 300 px of 2 mm2 on 20.
    assert [r['count'] for r in tables.count_strata('axial')] == [2, 15, 0, 0, 0, 0]
    assert [r['count'] for r in tables.count_strata('coronal')] == [1, 0, 20, 0, 0, 0]
    rows = {row['subject_name']: row for row in tables.subjects}
    assert rows['sub-a']['size_category'] == '5,000 to 30,000 mm³'
    assert rows['sub-b']['volume_mm3'] == 10
    assert rows['sub-c']['size_category'] == 'no lesion'
    assert tables.slices == {'axial': 60, 'coronal': 90, 'sagittal': 75}
    assert tables.semi_synthetic


def test_profiles_are_shares_of_subjects(prepared):
    tables = build_tables(prepared, ['axial', 'sagittal'], quiet=True)
    positions, shares = tables.list_profiles()['axial']
    assert positions.tolist() == [2.0 * k for k in range(20)]
    # Of three labelled subjects: a on slices 2 to 16, b on 4 and 6.
    assert np.rint(3 * shares).tolist() == [0, 0, 1, 1, 2, 1, 2] + [1] * 10 + [0] * 3
    assert list(tables.list_profiles()) == ['axial', 'sagittal']
    tables.grids.append(((1, 1, 1), (1.0, 1.0, 1.0)))
    assert tables.list_profiles() == {}


def test_any_number_of_workers_gives_the_same(prepared, tmp_path):
    for workers in (1, 3):
        write_tables(
            build_tables(prepared, workers=workers, quiet=True), tmp_path / str(workers)
        )
    for path in (tmp_path / '1').iterdir():
        assert path.read_bytes() == (tmp_path / '3' / path.name).read_bytes()


def test_location_by_atlas(prepared, tmp_path):
    labels = np.zeros(SHAPE, np.int64)
    labels[:, :, :8], labels[:, :, 8:] = 1, 2
    to_index = np.linalg.inv(
        [[0, 0, 1, 0], [0, 1, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1.0]]
    )
    names = {1: ('left', 'cortical'), 2: ('right', 'subcortical')}
    tables = build_tables(
        prepared, [], regions=RegionMap(labels, to_index, names), quiet=True
    )
    rows = {row['subject_name']: row for row in tables.subjects}
    # x = 7 twice is cortical; x = 8 twice and 9 are not.
    assert rows['sub-b']['cortical_share'] == pytest.approx(0.4)
    assert [rows[n]['location'] for n in ('sub-a', 'sub-b', 'sub-c')] == [
        'subcortical',
        'subcortical',
        None,
    ]
    write_tables(tables, tmp_path / 'out')
    with (tmp_path / 'out/regions.csv').open() as stream:
        found = [(r['subject_name'], r['voxels']) for r in csv.DictReader(stream)]
    assert found == [
        ('sub-a', '1500'), ('sub-a', '4500'), ('sub-b', '2'), ('sub-b', '3'),
    ]  # fmt: skip


def test_masks_that_changed_are_refused(prepared):
    path = prepared / 'volumes/sub-b/seg.npy'
    np.save(path, pack_mask(np.ones(SHAPE, bool)))
    with pytest.raises(InputError, match='15000 lesion voxels, the manifest says 5'):
        build_tables(prepared, quiet=True)
    np.save(path, np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(InputError, match='prepare the data again'):
        build_tables(prepared, quiet=True)
    np.save(path, np.array([{}], object))
    with pytest.raises(InputError, match='allow_pickle'):
        build_tables(prepared, quiet=True)
    path.unlink()
    with pytest.raises(InputError, match=r'seg\.npy'):
        build_tables(prepared, quiet=True)
