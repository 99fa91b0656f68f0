from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mmmed.datasets.base_med_dataset import MedSegDataset
from mmmed.datasets.transforms.loading import LoadSlice
from mmmed.io.png import read_image, read_label, write_image, write_label


def make_info(root, index: int = 0) -> dict:
    # Unserialized, because the host's serialization collects garbage every time.
    return MedSegDataset(str(root), serialize_data=False).get_data_info(index)


def test_training_sample(prepared):
    info = make_info(prepared)
    out = LoadSlice(size=(20, 20))(info)
    # 40 x 28 at half size, centred in 20 x 20.
    assert out['img'].shape == (20, 20, 1)
    assert out['gt_seg_map'].shape == (20, 20)
    assert out['seg_fields'] == ['gt_seg_map']
    assert out['ori_shape'] == (40, 28)
    assert out['img_shape'] == out['pad_shape'] == (20, 20)
    assert out['img_padding_size'] == (3, 3, 0, 0)
    assert out['scale_factor'] == (0.5, 0.5)
    assert out['spacing'] == [0.5, 0.8]
    assert out['img_spacing'] == [1.0, 1.6]
    assert set(np.unique(out['gt_seg_map'])) == {0, 1, 255}
    assert (out['gt_seg_map'] == 255).sum() == 6 * 20
    assert not out['img'][:, :3].any()


def test_test_sample_keeps_the_label_map(prepared):
    info = make_info(prepared)
    out = LoadSlice(size=(20, 20), resize_seg=False)(info)
    assert out['img'].shape == (20, 20, 1)
    assert np.array_equal(out['gt_seg_map'], read_label(info['seg_map_path']))
    assert out['seg_fields'] == []


def test_without_size_files_come_as_they_are(prepared):
    info = make_info(prepared)
    out = LoadSlice(size=None)(info)
    assert np.array_equal(out['img'][..., 0], read_image(info['img_path']))
    assert np.array_equal(out['gt_seg_map'], read_label(info['seg_map_path']))
    assert out['img_padding_size'] == (0, 0, 0, 0)
    assert out['img_spacing'] == [0.5, 0.8]


def test_unknown_spacing_stays_unknown(prepared):
    out = LoadSlice(size=(20, 20))(make_info(prepared) | {'spacing': None})
    assert out['img_spacing'] is None


def test_two_channels_leave_out_the_empty_blue(make_prepared):
    info = make_info(make_prepared(channels=2))
    out = LoadSlice(size=None)(info)
    stored = read_image(info['img_path'])
    assert out['img'].shape == (40, 28, 2)
    assert np.array_equal(out['img'], stored[..., :2])


def test_grey_is_repeated_for_three_channels(prepared):
    info = make_info(prepared)
    out = LoadSlice(size=(20, 14))(info | {'channels': 3})
    grey = LoadSlice(size=(20, 14))(info)['img']
    assert np.array_equal(out['img'], np.repeat(grey, 3, axis=2))


def test_unlabelled_image(prepared):
    info = make_info(prepared) | {'seg_map_path': None}
    out = LoadSlice(size=(20, 20), cache_dir=str(prepared / 'cache'))(dict(info))
    again = LoadSlice(size=(20, 20), cache_dir=str(prepared / 'cache'))(dict(info))
    for sample in (out, again):
        assert 'gt_seg_map' not in sample
        assert sample['seg_fields'] == []


@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('resize_seg', [True, False])
@pytest.mark.parametrize('size', [(20, 20), (48, 64), None])
def test_cached_equals_decoded(make_prepared, channels, resize_seg, size):
    root = make_prepared(channels=channels)
    info = make_info(root, 5)
    options = {'size': size, 'resize_seg': resize_seg}
    expected = LoadSlice(**options)(dict(info))
    for _ in range(2):
        # A new transform each time, as in another process.
        found = LoadSlice(**options, cache_dir='auto')(dict(info))
        assert found.keys() == expected.keys()
        for key in ('img', 'gt_seg_map'):
            assert np.array_equal(found.pop(key), expected[key])
        assert found == {key: expected[key] for key in found}
    assert len(list((root / '.slice_cache').glob('*.npy'))) == 1


def test_cache_hit_needs_no_image_file(prepared):
    info = make_info(prepared)
    load = LoadSlice(size=(20, 20), cache_dir='auto')
    first = load(dict(info))
    for path in ('img_path', 'seg_map_path'):
        (prepared / info[path]).unlink()
    assert np.array_equal(load(dict(info))['img'], first['img'])


def test_other_options_have_other_entries(prepared):
    info = make_info(prepared)
    for size in ((20, 20), (20, 14), None):
        for resize_seg in (True, False):
            LoadSlice(size, resize_seg, cache_dir='auto')(dict(info))
    LoadSlice((20, 20), cache_dir='auto')(info | {'channels': 3})
    assert len(list((prepared / '.slice_cache').glob('*.npy'))) == 7


def test_damaged_entry_is_made_again(prepared):
    info = make_info(prepared)
    load = LoadSlice(size=(20, 20), cache_dir='auto')
    expected = load(dict(info))['img']
    (entry,) = (prepared / '.slice_cache').glob('*.npy')
    whole = entry.read_bytes()
    entry.write_bytes(whole[:300])
    assert np.array_equal(load(dict(info))['img'], expected)
    assert entry.read_bytes() == whole


def test_concurrent_loaders_agree(prepared):
    infos = [make_info(prepared, i % 3) for i in range(24)]
    expected = [LoadSlice(size=(20, 20))(dict(info))['img'] for info in infos]

    def load(info):
        return LoadSlice(size=(20, 20), cache_dir='auto')(dict(info))['img']

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(load, infos))
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours, theirs)
    assert len(list((prepared / '.slice_cache').iterdir())) == 3


def test_changed_file_is_not_cached_under_the_old_hash(prepared):
    info = make_info(prepared)
    write_image(info['img_path'], np.zeros((40, 28), np.uint8))
    with pytest.raises(ValueError, match=r'049_0\.png: content differs from the manif'):
        LoadSlice(size=(20, 20), cache_dir='auto')(info)


def test_read_only_data_still_load(prepared, monkeypatch):
    def refuse(path, data):
        raise OSError(30, 'Read-only file system')

    monkeypatch.setattr(
        'mmmed.datasets.transforms.slice_cache.write_bytes_atomic', refuse
    )
    out = LoadSlice(size=(20, 20), cache_dir='auto')(make_info(prepared))
    assert out['img'].shape == (20, 20, 1)


def store_16_bits(info):
    write_image(info['img_path'], np.zeros((40, 28), np.uint16))


def store_colours(info):
    write_image(info['img_path'], np.full((40, 28, 3), 9, np.uint8))


def store_other_shape(info):
    write_label(info['seg_map_path'], np.zeros((28, 40), np.uint8))


def remove_image(info):
    Path(info['img_path']).unlink()


@pytest.mark.parametrize(
    ('spoil', 'channels', 'error', 'message'),
    [
        (store_16_bits, 1, ValueError, 'uint16, expected 8 bits'),
        (store_colours, 1, ValueError, '3 channels stored, 1 expected'),
        (store_colours, 2, ValueError, '3 channels stored, 2 expected'),
        (store_other_shape, 1, ValueError, r'shape \(28, 40\) for an image'),
        (remove_image, 1, FileNotFoundError, '049_0'),
    ],
)
def test_refuses(prepared, spoil, channels, error, message):
    info = make_info(prepared) | {'channels': channels}
    spoil(info)
    with pytest.raises(error, match=message):
        LoadSlice(size=(20, 20))(info)


@pytest.mark.parametrize('size', [(0, 5), (4,), (4, 5, 6)])
def test_refuses_a_wrong_size(size):
    with pytest.raises(ValueError, match='expected \\(Y, X\\) in pixels'):
        LoadSlice(size=size)


@pytest.mark.parametrize(
    ('key', 'message'), [('sha256', 'sha256'), ('data_root', 'data_root')]
)
def test_cache_names_the_key_it_lacks(prepared, key, message):
    info = make_info(prepared)
    del info[key]
    with pytest.raises(ValueError, match=f'needs .*{message}'):
        LoadSlice(size=(20, 20), cache_dir='auto')(info)
