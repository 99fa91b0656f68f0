import json

import numpy as np
import pytest

from mmmed.datasets.transforms import SynthesizeLesions


def make_results(seed=0, size=48):
    rng = np.random.default_rng(1)
    seg = np.zeros((size // 2, size, size), np.uint8)
    seg[2:-2, 4:-4, 4:-4] = 1
    seg[0] = 255
    img = np.where(seg == 1, 100, 0) + 5 * rng.standard_normal(seg.shape)
    return {
        'img': img[None].astype(np.float32),
        'gt_seg_map': seg,
        'spacing': [2.0, 1.0, 1.0],
        'rng': np.random.default_rng(seed),
    }


@pytest.mark.parametrize('recipe', ['public', 'full'])
def test_lesions_come_with_their_records(recipe):
    before = make_results()
    img, seg = before['img'].copy(), before['gt_seg_map'].copy()
    transform = SynthesizeLesions(recipe, weights={'mix': 0, 'large': 0}, prob=1.0)
    out = transform(dict(before))
    assert out['lesion_outcome'] == 'ok'
    assert (
        sum(one['voxels'] for one in out['lesions']) == (out['gt_seg_map'] == 2).sum()
    )
    json.dumps(out['lesions'])
    json.dumps(out['applied'])
    np.testing.assert_array_equal(before['img'], img)
    np.testing.assert_array_equal(before['gt_seg_map'], seg)
    np.testing.assert_array_equal(out['gt_seg_map'][0], 255)
    assert out['img'].dtype == np.float32
    again = transform(make_results())
    np.testing.assert_array_equal(again['img'], out['img'])
    replayed = transform.apply(make_results(), out['applied'][0])
    np.testing.assert_array_equal(replayed['img'], out['img'])


@pytest.mark.parametrize('recipe', ['automaton', 'automaton-published'])
def test_grown_tumors_replay_from_their_plan(recipe):
    before = make_results()
    before['gt_seg_map'][10:12, 10:13, 10:13] = 2  # real tumor
    img, seg = before['img'].copy(), before['gt_seg_map'].copy()
    transform = SynthesizeLesions(
        recipe, prob=1.0, prob_real=1.0, overrides={'steps': [25, 25]}
    )
    out = transform(dict(before))
    assert out['lesion_outcome'] == 'ok'
    params = json.loads(json.dumps(out['applied'][0]))
    assert params['growth']['steps'] == 25
    assert params['lesion_type'] == 'grown'
    np.testing.assert_array_equal(before['img'], img)
    np.testing.assert_array_equal(before['gt_seg_map'], seg)
    held = seg != 1
    np.testing.assert_array_equal(out['img'][0][held], img[0][held])
    np.testing.assert_array_equal(out['gt_seg_map'][held], seg[held])
    new = (out['gt_seg_map'] == 2) & ~held
    rows = out['lesions']
    assert sum(one['voxels'] for one in rows) >= new.sum() > 50
    assert min(one['delta_hu'] for one in rows) < -5
    again = make_results() | {'img': img, 'gt_seg_map': seg}
    replayed = transform.apply(again, params)
    np.testing.assert_array_equal(replayed['img'], out['img'])
    np.testing.assert_array_equal(replayed['gt_seg_map'], out['gt_seg_map'])
    assert replayed['lesions'] == rows


def test_cells_want_an_organ_and_their_own_options():
    results = make_results()
    results['gt_seg_map'] = np.zeros_like(results['gt_seg_map'])
    out = SynthesizeLesions('automaton', prob=1.0)(dict(results))
    assert out['lesion_outcome'] == 'no organ'
    assert out['img'] is results['img']
    with pytest.raises(ValueError, match='weights'):
        SynthesizeLesions('automaton', weights={'tiny': 1})
    with pytest.raises(ValueError, match='edge_mm'):
        SynthesizeLesions('automaton', overrides={'edge_mm': (1, 2)})


def test_spacing_is_that_of_the_array():
    plain = SynthesizeLesions(weights={'mix': 0}, prob=1.0)
    results = make_results() | {'img_spacing': [4.0, 2.0, 2.0]}
    one = plain(results)['lesions'][0]
    other = plain(make_results())['lesions'][0]
    assert one['radii_mm'] == other['radii_mm']
    assert one['voxels'] < other['voxels']


def test_probability_zero_is_the_identity():
    results = make_results()
    out = SynthesizeLesions(prob=0.0)(dict(results))
    assert out['img'] is results['img']
    assert 'lesions' not in out


def test_real_tumor_has_its_own_probability():
    results = make_results()
    results['gt_seg_map'][10:12, 10:13, 10:13] = 2
    outcomes = []
    for share in (0.0, 1.0):
        sample = results | {'rng': np.random.default_rng(0)}
        transform = SynthesizeLesions(prob=0.5, prob_real=share, weights={'mix': 0})
        outcomes.append(transform(sample).get('lesion_outcome', 'not drawn'))
    assert outcomes == ['not drawn', 'ok']
    shares = [
        SynthesizeLesions(prob=0.3, prob_real=1.0)(make_results(seed))['lesion_outcome']
        for seed in range(60)
    ]
    assert 8 <= shares.count('ok') <= 30


def test_options_are_checked():
    with pytest.raises(ValueError, match='colour'):
        SynthesizeLesions(overrides={'colour': 1})
    with pytest.raises(ValueError, match='giant'):
        SynthesizeLesions(weights={'giant': 1})
    with pytest.raises(ValueError, match='prob_real'):
        SynthesizeLesions(prob_real=2)
    recipe = SynthesizeLesions(overrides={'edge_mm': [0.5, 1.0]}).recipe
    assert recipe.edge_mm == (0.5, 1.0)


def test_a_slice_is_refused():
    results = make_results()
    results['img'] = results['img'][0]
    with pytest.raises(ValueError, match='one CT channel'):
        SynthesizeLesions(prob=1.0)(results)
