import numpy as np
import pytest

from mmmed.datasets.transforms import turned_volumes
from mmmed.datasets.transforms.turned_volumes import TurnedVolumes
from mmmed.datasets.transforms.volume_maps import VolumeMaps
from mmmed.functional.packed_bits import pack_mask, unpack_mask

SHAPE = (4, 11, 6)


@pytest.fixture
def files(tmp_path, rng):
    img = rng.integers(0, 256, SHAPE).astype(np.uint8)
    mask = rng.random(SHAPE) < 0.3
    np.save(tmp_path / 'img.npy', img)
    np.save(tmp_path / 'seg.npy', pack_mask(mask))
    return tmp_path, img, mask


def test_copies_hold_the_same_in_another_order(files):
    folder, img, mask = files
    turned = TurnedVolumes(str(folder / 'cache'), VolumeMaps())
    found = turned.open_img(str(folder / 'img.npy'), SHAPE, 'a')
    assert np.array_equal(found, img.transpose(2, 0, 1))
    assert found[3].flags.c_contiguous
    packed = turned.open_seg(str(folder / 'seg.npy'), SHAPE, 'a')
    assert packed.shape == (6, 4, 2)
    assert np.array_equal(unpack_mask(packed, (6, 4, 11)), mask.transpose(2, 0, 1))


def test_copies_are_made_once_and_found_by_content(files):
    folder, img, _ = files
    path = str(folder / 'img.npy')
    for _ in range(2):
        TurnedVolumes(str(folder / 'cache'), VolumeMaps()).open_img(path, SHAPE, 'a')
        (made,) = (folder / 'cache').iterdir()
        changed = made.stat().st_mtime_ns
    TurnedVolumes(str(folder / 'cache'), VolumeMaps()).open_img(path, SHAPE, 'a')
    assert made.stat().st_mtime_ns == changed
    np.save(path, 255 - img)
    other = TurnedVolumes(str(folder / 'cache'), VolumeMaps())
    assert np.array_equal(
        other.open_img(path, SHAPE, 'b'), 255 - img.transpose(2, 0, 1)
    )
    assert len(list((folder / 'cache').iterdir())) == 2
    made.unlink()
    again = TurnedVolumes(str(folder / 'cache'), VolumeMaps())
    assert again.open_img(path, SHAPE, 'a') is not None


def test_a_folder_that_cannot_be_written_is_reported_once(files, monkeypatch):
    said = []
    monkeypatch.setattr(turned_volumes, 'print_log', lambda text, *_: said.append(text))
    folder, _, _ = files
    (folder / 'file').write_text('in the way')
    turned = TurnedVolumes(str(folder / 'file' / 'cache'), VolumeMaps())
    assert turned.open_img(str(folder / 'img.npy'), SHAPE, 'a') is None
    assert turned.open_seg(str(folder / 'seg.npy'), SHAPE, 'a') is None
    assert len(said) == 1
    assert 'sagittal slices are read slowly: cannot write to' in said[0]
