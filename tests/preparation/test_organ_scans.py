import numpy as np
import pytest

from mmmed.io import write_volume
from mmmed.preparation.findings import InputError
from mmmed.preparation.organ_scans import find_organ_scans, read_organ_scan
from mmmed.structures import Volume

# Left, anterior, superior in file order: canonical axes flip.
LPS = np.array([[0, 0, -2.0, 9], [0, -1.5, 0, 5], [3.0, 0, 0, 1], [0, 0, 0, 1]])


def write_pair(folder, labels, *, name='a', affine=LPS, hu=None):
    hu = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6) if hu is None else hu
    image, mask = folder / 'img' / f'{name}.nii.gz', folder / 'seg' / f'{name}.nii.gz'
    write_volume(Volume(hu, (3, 1.5, 2), LPS), image)
    write_volume(Volume(labels, (3, 1.5, 2), affine), mask)
    return image, mask


def make_labels(**places):
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = 1
    labels[2, 2, 3] = 2
    labels[0, 0, 0] = places.get('corner', 0)
    return labels


def test_a_pair_of_files_is_read_canonical(tmp_path):
    image, mask = write_pair(tmp_path, make_labels())
    (scan,) = find_organ_scans(image, mask=mask)
    assert scan.name == 'a'
    loaded = read_organ_scan(scan)
    assert loaded.volume.orientation == 'SAR'
    assert loaded.volume.array.dtype == np.float32
    assert loaded.volume.spacing == (3, 1.5, 2)
    assert loaded.mask[1, 5 - 1 - 2, 6 - 1 - 3] == 1
    assert loaded.mask[2, 2, 2] == 2
    assert loaded.volume.array[1, 2, 2] == loaded.source.array[1, 2, 3]


def test_an_organ_is_chosen_among_many(tmp_path):
    image, mask = write_pair(tmp_path, make_labels(corner=77))
    (scan,) = find_organ_scans(image, mask=mask, labels=[2, 77])
    assert np.bincount(read_organ_scan(scan).mask.ravel()).tolist() == [118, 2]
    (scan,) = find_organ_scans(image, mask=mask)
    with pytest.raises(ValueError, match=r'77 \(1 voxels\).*--label'):
        read_organ_scan(scan)


def test_another_grid_is_refused(tmp_path):
    moved = LPS.copy()
    moved[2, 3] += 5
    image, mask = write_pair(tmp_path, make_labels(), affine=moved)
    (scan,) = find_organ_scans(image, mask=mask)
    with pytest.raises(ValueError, match=r'seg.*a\.nii\.gz.* mm apart'):
        read_organ_scan(scan)


def test_folders_are_paired_by_name(tmp_path):
    for name in ('b', 'c', 'd'):
        write_pair(tmp_path, make_labels(), name=name)
    (tmp_path / 'seg/c.nii.gz').unlink()
    scans = find_organ_scans(tmp_path / 'img', mask=tmp_path / 'seg')
    assert [scan.name for scan in scans] == ['b', 'd']


def test_what_cannot_be_paired_is_named(tmp_path):
    image, mask = write_pair(tmp_path, make_labels())
    with pytest.raises(InputError, match='needs --mask'):
        find_organ_scans(image)
    with pytest.raises(FileNotFoundError, match='absent'):
        find_organ_scans(image, mask=tmp_path / 'absent.nii.gz')
    with pytest.raises(InputError, match='two files or two folders'):
        find_organ_scans(image.parent, mask=mask)
    (tmp_path / 'other').mkdir()
    with pytest.raises(InputError, match='no two files of the same name'):
        find_organ_scans(image.parent, mask=tmp_path / 'other')
