import numpy as np
import pytest

from mmmed.io.base import write_volume
from mmmed.preparation.findings import InputError
from mmmed.preparation.lesion_regions import RegionMap, summarize_regions
from mmmed.structures.volume import Volume

AFFINE = np.diag([1.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]]


def write_map(path, labels, spacing=(2.0, 2.0, 2.0)):
    """A label map whose first voxel is centred at the origin."""
    write_volume(Volume(np.asarray(labels, np.int16), spacing=spacing), path)
    return path


def make_labels() -> np.ndarray:
    labels = np.zeros((2, 2, 3))
    labels[0, :, 1], labels[1, :, 1], labels[..., 2] = 1, 2, 7
    return labels


def test_nearest_label_on_another_grid(tmp_path):
    path = write_map(tmp_path / 'map.nii.gz', make_labels())
    (tmp_path / 'map.csv').write_text(
        'label,name,region\n1,Gyrus,cortical\n2,Putamen,subcortical\n7,Pons,brainstem\n'
    )
    regions = RegionMap.read(path)
    mask = np.zeros((4, 3, 8), bool)
    # 1 mm voxels along x at z = y = 0: nearest of 0, 2, 4 mm.
    mask[0, 0, [0, 2, 4, 7]] = True
    # z = 2 mm is the upper half of the map.
    mask[2, 2, 2] = True
    counts = regions.count(mask, AFFINE)
    # x = 7 mm is beyond the map, as is x = 0 outside the regions.
    assert counts == {0: 2, 1: 1, 2: 1, 7: 1}
    rows = regions.describe(counts, 'sub')
    assert [(r['name'], r['region'], r['lesion_share']) for r in rows] == [
        ('outside', 'outside', 0.4),
        ('Gyrus', 'cortical', 0.2),
        ('Putamen', 'subcortical', 0.2),
        ('Pons', 'brainstem', 0.2),
    ]
    assert summarize_regions(rows) == {
        'cortical_share': 0.2,
        'subcortical_share': 0.2,
        'location': 'brainstem',
    }


def test_without_a_table_one_is_cortical_and_two_is_not(tmp_path):
    labels = make_labels()
    labels[labels == 7] = 2
    regions = RegionMap.read(write_map(tmp_path / 'map.nii', labels))
    rows = regions.describe({1: 3, 2: 5}, 'sub')
    assert summarize_regions(rows)['location'] == 'subcortical'
    assert [row['name'] for row in rows] == ['cortical', 'subcortical']


def test_no_lesion_has_no_location(tmp_path):
    regions = RegionMap.read(write_map(tmp_path / 'map.nii', make_labels() % 7))
    counts = regions.count(np.zeros((2, 2, 2), bool), AFFINE)
    assert counts == {}
    assert summarize_regions(regions.describe(counts, 'sub'))['location'] is None
    assert summarize_regions(regions.describe({0: 4}, 'sub'))['location'] == 'outside'


def test_bad_maps_and_tables_are_named(tmp_path):
    path = write_map(tmp_path / 'map.nii', make_labels())
    with pytest.raises(InputError, match=r'label 7 .* has no row in map.csv'):
        RegionMap.read(path)
    (tmp_path / 'map.csv').write_text('label,title\n1,x\n')
    with pytest.raises(InputError, match='not a table with the columns'):
        RegionMap.read(path)
    prob = tmp_path / 'prob.nii'
    write_volume(Volume(np.full((2, 2, 2), 0.5, np.float32), spacing=(1, 1, 1)), prob)
    with pytest.raises(InputError, match='not a probability map'):
        RegionMap.read(prob)
