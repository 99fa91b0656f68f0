import json
import pickle

import numpy as np
import pytest

from mmmed.datasets.transforms import SynthesizeCordLesions
from mmmed.datasets.transforms.volume_slice import LoadVolumeSlice
from mmmed.functional.packed_bits import pack_mask
from mmmed.functional.planes import (
    PLANES,
    count_slices,
    drop_plane_axis,
    extract_slice,
)
from mmmed.synthesis import CordLesionRecord, apply_cord_lesions

SHAPE, SPACING = (36, 22, 20), (1.5, 0.8, 1.0)
ALWAYS = {'negative': 0.0}


@pytest.fixture(scope='module')
def case(tmp_path_factory):
    """A volume of 16 bits with a cord and a real lesion, and its entry."""
    folder = tmp_path_factory.mktemp('cord')
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    cord = ((y - 11) / 5) ** 2 + ((x - 9) / 5) ** 2 <= 1
    cord = cord & (z >= 3)
    rng = np.random.default_rng(0)
    image = np.where(cord, 20000, 50000) + 400 * rng.standard_normal(SHAPE)
    lesion = np.zeros(SHAPE, bool)
    lesion[20:23, 10:12, 8:10] = True
    arrays = {'img': image.astype(np.uint16), 'cord': pack_mask(cord)}
    arrays |= {'lesion': pack_mask(lesion), 'empty': pack_mask(cord & False)}
    for name, array in arrays.items():
        np.save(folder / f'{name}.npy', array)
    return folder, arrays['img'], cord, lesion


def load(
    case, index, plane='axial', *, target='lesion', seed=0, dtype='float32', **more
):
    folder = str(case[0])
    info = {
        'img_paths': (f'{folder}/img.npy',), 'cord_path': f'{folder}/cord.npy',
        'seg_map_path': f'{folder}/{target}.npy', 'volume_shape': SHAPE,
        'volume_spacing': SPACING, 'plane': plane, 'slice_index': index,
        'neighbors': (0,), 'seg_fields': [], 'volume_id': 'p1',
        'spacing': drop_plane_axis(SPACING, plane), 'targets': {'sequence': 1},
        'rng': np.random.default_rng(seed),
    }  # fmt: skip
    return LoadVolumeSlice(dtype)(info | more)


@pytest.mark.parametrize('plane', PLANES)
def test_slices_of_a_fixed_case_are_those_of_one_volume(case, plane):
    _, image, cord, _ = case
    transform = SynthesizeCordLesions(recipe=ALWAYS, is_fixed=True, seed=2)
    records, seen = None, 0
    for index in range(0, count_slices(SHAPE, plane), 3):
        out = transform(load(case, index, plane, target='cord', seed=index))
        assert out['lesion_outcome'] == 'ok'
        assert records in (None, out['lesions'])
        records = out['lesions']
        lesions = [CordLesionRecord.from_json(values) for values in records]
        volume = (image / np.float32(257)).astype(np.float32)
        made = apply_cord_lesions(volume, cord, lesions, SPACING, grey_scale=1 / 257)
        expected = np.minimum(extract_slice(made.image, plane, index), 255)
        np.testing.assert_array_equal(out['img'][..., 0], expected)
        label = extract_slice(made.label, plane, index)
        np.testing.assert_array_equal(out['gt_seg_map'], label)
        assert out['foreground_pixels'] == label.sum()
        seen += out['positive']
        # Later transforms draw what they would have drawn.
        assert out['rng'].random() == np.random.default_rng(index).random()
    assert seen > 0


def test_fixed_lesions_know_neither_draw_nor_worker(case):
    transform = SynthesizeCordLesions(recipe=ALWAYS, is_fixed=True)
    other = pickle.loads(pickle.dumps(transform))
    first, second = transform(load(case, 15, seed=1)), other(load(case, 15, seed=2))
    np.testing.assert_array_equal(first['img'], second['img'])
    third = transform(load(case, 15, volume_id='p2'))
    assert third['lesions'] != first['lesions']


def test_in_training_every_draw_differs_and_replays(case):
    transform = SynthesizeCordLesions(recipe=ALWAYS, focus=1.0)
    outputs = [transform(load(case, 15, seed=seed)) for seed in range(3)]
    assert len({json.dumps(out['lesions']) for out in outputs}) == 3
    for seed, out in enumerate(outputs):
        first = out['lesions'][0]
        assert round(first['center_mm'][0] / SPACING[0]) == 15
        params = json.loads(json.dumps(out['applied'][0]))
        again = transform.apply(load(case, 15, seed=seed), params)
        np.testing.assert_array_equal(again['img'], out['img'])
        np.testing.assert_array_equal(again['gt_seg_map'], out['gt_seg_map'])


def test_real_lesions_stay_in_the_label(case):
    transform = SynthesizeCordLesions(recipe=ALWAYS, focus=1.0)
    before = load(case, 21)
    seg = before['gt_seg_map'].copy()
    seg[0, 0] = 255
    out = transform(before | {'gt_seg_map': seg})
    assert seg.sum() == 4 + 255
    assert (out['gt_seg_map'][seg > 0] == seg[seg > 0]).all()
    assert np.count_nonzero(out['gt_seg_map'] == 1) > 4
    free = SynthesizeCordLesions(recipe={'negative': 1.0})(load(case, 21))
    assert (free['lesion_outcome'], free['lesions']) == ('lesion-free', [])
    np.testing.assert_array_equal(free['gt_seg_map'], before['gt_seg_map'])
    np.testing.assert_array_equal(free['img'], before['img'])


def test_a_mask_of_the_cord_gives_way_and_can_be_kept(case):
    transform = SynthesizeCordLesions(recipe={'negative': 1.0}, keep_cord=True)
    out = transform(load(case, 21, target='cord'))
    assert not out['gt_seg_map'].any()
    np.testing.assert_array_equal(out['cord_mask'], case[2][21])
    assert out['seg_fields'] == ['gt_seg_map', 'cord_mask']


def test_a_network_of_cords_sees_lesions_and_learns_the_cord(case):
    transform = SynthesizeCordLesions(recipe=ALWAYS, focus=1.0, label='cord')
    before = load(case, 15, target='cord')
    out = transform(dict(before))
    np.testing.assert_array_equal(out['gt_seg_map'], case[2][15])
    pixels = before.get('foreground_pixels')
    assert (out['lesion_outcome'], out.get('foreground_pixels')) == ('ok', pixels)
    lesions = SynthesizeCordLesions(recipe=ALWAYS, focus=1.0)(dict(before))
    assert lesions['gt_seg_map'].any()
    again = transform(load(case, 15, target='cord'))
    np.testing.assert_array_equal(out['img'], again['img'])
    assert (out['img'] != before['img'])[lesions['gt_seg_map'] > 0].any()
    with pytest.raises(ValueError, match='no mask of a cord'):
        transform(load(case, 15, target='lesion'))


@pytest.mark.parametrize('name', ['empty', None])
def test_without_a_cord_nothing_happens_and_it_is_said(case, name):
    path = name and str(case[0] / f'{name}.npy')
    before = load(case, 21, cord_path=path, seg_map_path=None)
    out = SynthesizeCordLesions(recipe=ALWAYS, keep_cord=True)(dict(before))
    assert (out['lesion_outcome'], out['lesions']) == ('no cord', [])
    np.testing.assert_array_equal(out['img'], before['img'])
    assert not out['gt_seg_map'].any()
    assert not out['cord_mask'].any()


def test_the_sequence_comes_from_the_targets_or_the_argument(case):
    out = SynthesizeCordLesions(recipe=ALWAYS)(load(case, 15))
    assert {one['sequence'] for one in out['lesions']} == {'T2w'}
    out = SynthesizeCordLesions(recipe=ALWAYS, sequence='T1w')(load(case, 15))
    assert {one['sequence'] for one in out['lesions']} == {'T1w'}
    unknown = load(case, 15, targets={'sequence': -1})
    assert SynthesizeCordLesions()(unknown)['lesion_outcome'] == 'no sequence'


def test_neighbors_show_the_same_lesion(case):
    transform = SynthesizeCordLesions(recipe=ALWAYS, is_fixed=True)
    out = transform(load(case, 0, neighbors=(-1, 0, 1)))
    assert not out['img'][..., 0].any()  # beyond the end
    out = transform(load(case, 14, neighbors=(1, 0), dtype='uint8'))
    assert out['img'].dtype == np.uint8
    for channel, index in enumerate((15, 14)):
        one = transform(load(case, index, dtype='uint8'))
        np.testing.assert_array_equal(out['img'][..., channel], one['img'][..., 0])
        if index == 14:
            np.testing.assert_array_equal(out['gt_seg_map'], one['gt_seg_map'])


def test_memory_is_bounded(case):
    transform = SynthesizeCordLesions(recipe=ALWAYS, cache_mb=0)
    for path in ('cord.npy', 'lesion.npy'):
        transform(load(case, 15, cord_path=str(case[0] / path)))
        assert len(transform._cords) == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'recipe': {'size': 3}}, 'across_mm'),
        ({'sequence': 'flair'}, 'flair'),
        ({'focus': 2}, 'focus'),
        ({'label': 'canal'}, 'canal'),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SynthesizeCordLesions(**options)


def test_a_slice_that_was_changed_before_is_refused(case):
    results = load(case, 15)
    results['img'] = results['img'][:-1]
    with pytest.raises(ValueError, match='right after LoadVolumeSlice'):
        SynthesizeCordLesions()(results)
