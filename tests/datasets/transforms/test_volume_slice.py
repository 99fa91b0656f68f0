import numpy as np
import pytest

from mmmed.datasets import AtlasDataset
from mmmed.datasets.transforms.volume_slice import LoadVolumeSlice
from mmmed.functional.planes import PLANES, extract_slice


def get_entries(root, plane, **options) -> list[dict]:
    dataset = AtlasDataset(str(root), plane=plane, **options)
    return [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.mark.parametrize('cache_dir', [None, 'auto'])
@pytest.mark.parametrize('plane', PLANES)
def test_every_slice_is_that_of_the_volume(
    make_volumes, read_subject, plane, cache_dir
):
    root = make_volumes()
    load = LoadVolumeSlice(cache_dir=cache_dir)
    for info in get_entries(root, plane):
        out = load(dict(info))
        volume, mask = read_subject(info['patient_id'])
        expected = extract_slice(volume, plane, info['slice_index'])
        assert np.array_equal(out['img'][..., 0], expected)
        assert (out['img'].shape, out['img'].dtype) == ((*expected.shape, 1), np.uint8)
        if mask is None:
            assert 'gt_seg_map' not in out
            assert out['seg_fields'] == []
        else:
            seg = extract_slice(mask, plane, info['slice_index'])
            assert np.array_equal(out['gt_seg_map'], seg)
            assert out['gt_seg_map'].dtype == np.uint8
            assert out['seg_fields'] == ['gt_seg_map']
        assert (
            out['ori_shape'] == out['img_shape'] == out['pad_shape'] == seg_shape(plane)
        )
        assert out['img_spacing'] == list(info['spacing'])
    has_copies = (root / '.slice_cache').exists()
    assert has_copies == (plane == 'sagittal' and cache_dir == 'auto')


def seg_shape(plane):
    return {'axial': (11, 9), 'coronal': (6, 9), 'sagittal': (6, 11)}[plane]


@pytest.mark.parametrize('plane', PLANES)
def test_neighbors_are_channels_and_nothing_beyond_the_ends(
    make_volumes, read_subject, plane
):
    root = make_volumes(sequences=('t1w', 'flair'))
    load = LoadVolumeSlice(cache_dir='auto')
    infos = get_entries(root, plane, split='val', neighbors=(-2, 0, 1))
    for info in infos:
        img = load(dict(info))['img']
        assert img.shape[2] == 6
        for channel in range(6):
            sequence = ('t1w', 'flair')[channel // 3]
            volume, _ = read_subject('sub-r002s001', sequence)
            index = info['slice_index'] + (-2, 0, 1)[channel % 3]
            if 0 <= index < len(infos):
                expected = extract_slice(volume, plane, index)
                assert np.array_equal(img[..., channel], expected)
            else:
                assert not img[..., channel].any()


@pytest.mark.parametrize('plane', PLANES)
def test_16_bits_are_rounded_or_kept(make_volumes, read_subject, plane):
    root = make_volumes(dtype=np.uint16)
    info = get_entries(root, plane, split='val')[2]
    volume, _ = read_subject('sub-r002s001', dtype=np.uint16)
    exact = extract_slice(volume, plane, 2) / 257
    rounded = LoadVolumeSlice(cache_dir='auto')(dict(info))['img'][..., 0]
    assert np.array_equal(rounded, np.rint(exact))
    kept = LoadVolumeSlice('float32')(dict(info))['img'][..., 0]
    assert kept.dtype == np.float32
    assert np.abs(kept - exact).max() < 1e-4


def test_arrays_are_fresh_and_files_untouched(make_volumes):
    root = make_volumes()
    load = LoadVolumeSlice()
    info = get_entries(root, 'axial', split='val')[0]
    first = load(dict(info))
    before = first['img'].copy()
    first['img'][:] = 1
    first['gt_seg_map'][:] = 1
    assert np.array_equal(load(dict(info))['img'], before)
    volume = load._maps.open(info['img_path'], (6, 11, 9))
    with pytest.raises(ValueError, match='read-only'):
        volume[0] = 0


def test_refuses_another_type():
    with pytest.raises(ValueError, match="dtype is 'int8'"):
        LoadVolumeSlice('int8')
    assert repr(LoadVolumeSlice()) == (
        "LoadVolumeSlice(dtype='uint8', cache_dir=None, capacity=4096)"
    )


def test_without_a_writable_cache_slices_are_the_same(make_volumes, read_subject):
    root = make_volumes()
    (root / 'file').write_text('in the way')
    load = LoadVolumeSlice(cache_dir=str(root / 'file' / 'cache'))
    for info in get_entries(root, 'sagittal', split='val'):
        out = load(dict(info))
        volume, mask = read_subject('sub-r002s001')
        assert np.array_equal(out['img'][..., 0], volume[:, :, info['slice_index']])
        assert np.array_equal(out['gt_seg_map'], mask[:, :, info['slice_index']])
