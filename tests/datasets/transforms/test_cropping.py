import numpy as np
import pytest

from mmmed.datasets.transforms.cropping import RandomCropSlice


def make(seed: int, *, shape=(40, 30), lesion=None) -> dict:
    seg = np.zeros(shape, np.uint8)
    if lesion is not None:
        seg[lesion] = 1
    ids = np.arange(shape[0] * shape[1]).reshape(shape)
    return {
        'img': np.stack([ids // 256, ids % 256], axis=-1).astype(np.uint8),
        'gt_seg_map': seg,
        'seg_fields': ['gt_seg_map'],
        'img_padding_size': (0, 0, 0, 0),
        'rng': np.random.default_rng(seed),
    }


def test_window_holds_the_pixels_of_its_place():
    sample = make(0)
    out = RandomCropSlice(size=(12, 9), foreground_prob=0)(dict(sample))
    top, left = out['applied'][0]['corner']
    expected = sample['img'][top : top + 12, left : left + 9]
    assert np.array_equal(out['img'], expected)
    assert out['img_shape'] == out['pad_shape'] == (12, 9)
    assert 'img_padding_size' not in out


def test_every_place_is_reached_without_foreground():
    crop = RandomCropSlice(size=(38, 29), foreground_prob=1.0)
    corners = {tuple(crop(make(s))['applied'][0]['corner']) for s in range(200)}
    assert corners == {(y, x) for y in range(3) for x in range(2)}


@pytest.mark.parametrize('lesion', [(20, 15), (0, 0), (39, 29), (39, 0), (1, 28)])
def test_foreground_is_always_inside(lesion):
    crop = RandomCropSlice(size=(11, 8), foreground_prob=1.0)
    for seed in range(5):
        out = crop(make(seed, lesion=lesion))
        assert out['gt_seg_map'].sum() == 1
    inner = crop(make(0, lesion=(20, 15)))
    assert np.argwhere(inner['gt_seg_map']).tolist() == [[5, 4]]


def test_ignored_pixels_are_no_foreground():
    sample = make(0, lesion=(5, 5))
    sample['gt_seg_map'][30:] = 255
    crop = RandomCropSlice(size=(11, 8), foreground_prob=1.0)
    for seed in range(20):
        sample['rng'] = np.random.default_rng(seed)
        assert (crop(dict(sample))['gt_seg_map'] == 1).sum() == 1


def test_share_of_foreground_windows():
    lesion = (slice(0, 2), slice(0, 2))
    crop = RandomCropSlice(size=(4, 4), foreground_prob=0.4)
    hits = sum(
        bool(crop(make(s, shape=(100, 80), lesion=lesion))['gt_seg_map'].any())
        for s in range(1000)
    )
    # Binomial(1000, 0.4), standard deviation 15; a blind window hits once in 1867.
    assert abs(hits - 400) < 60


def test_larger_window_is_centred_on_ignored_air():
    sample = make(0, shape=(4, 6))
    sample['img'][:] = 9
    out = RandomCropSlice(size=(7, 6))(sample)
    assert out['img'].shape == (7, 6, 2)
    assert out['gt_seg_map'][:, 0].tolist() == [255, 0, 0, 0, 0, 255, 255]
    assert out['img'][:, 3, 1].tolist() == [0, 9, 9, 9, 9, 0, 0]


def test_unlabelled_image_is_cropped_anywhere():
    sample = make(0)
    del sample['gt_seg_map']
    sample['seg_fields'] = []
    out = RandomCropSlice(size=(5, 6), foreground_prob=1.0)(sample)
    assert out['img'].shape == (5, 6, 2)


@pytest.mark.parametrize(
    'options',
    [{'size': (0, 4)}, {'size': (4,)}, {'size': (4, 4), 'foreground_prob': 1.5}],
)
def test_refuses(options):
    with pytest.raises(ValueError, match='expected'):
        RandomCropSlice(**options)
