import numpy as np
import pytest

from mmmed.datasets import (
    EachSequence,
    JointSequences,
    PackROISequences,
    SequenceDropout,
)

NAMES = ('t2', 'lap', 'adc', 'op')


@pytest.fixture
def results(rng):
    img = rng.random((4, 2, 6, 10, 12), dtype=np.float32)
    img[2] = 0
    return {
        'img': img,
        'available': np.array([True, True, False, True]),
        'sequences': NAMES,
        'img_spacing': (3.0, 1.0, 1.0),
        'rng': rng,
        'case_id': 'a',
    }


def test_one_warp_moves_all_sequences_alike(results):
    results['img'][1] = 2 * results['img'][0]
    before = results['img'].copy()
    joint = JointSequences(
        [
            {
                'type': 'mmmed.RandomAffineVolume',
                'rotate_prob': 1.0,
                'scale_prob': 1.0,
                'elastic_prob': 1.0,
            },
            {'type': 'mmmed.RandomFlipVolume'},
        ]
    )
    moved = joint(results)
    np.testing.assert_allclose(moved['img'][1], 2 * moved['img'][0], rtol=1e-5)
    assert not moved['img'][2].any()
    assert not np.allclose(moved['img'][0], before[0])
    np.testing.assert_array_equal(before[3], before[3])
    assert moved['applied'][0]['type'] == 'RandomAffineVolume'


def test_a_lesion_without_any_sequence_passes(results):
    results['available'][:] = False
    flip = [{'type': 'mmmed.RandomFlipVolume'}]
    assert JointSequences(flip)(results)['img'] is results['img']


def test_each_sequence_has_its_own_draw_and_the_box_stays(results):
    before = results['img'].copy()
    results['img'][1] = results['img'][0]
    each = EachSequence([{'type': 'mmmed.RandomIntensityVolume', 'gain_prob': 1.0}])
    changed = each(results)
    assert not np.allclose(changed['img'][1, 0], changed['img'][0, 0])
    np.testing.assert_array_equal(changed['img'][0, 1], before[0, 1])
    assert not changed['img'][2].any()
    assert [record['sequence'] for record in changed['applied']] == ['t2', 'lap', 'op']


def test_dropout_takes_sequences_but_not_all(results):
    drop = SequenceDropout(1.0, least=2)
    dropped = drop(results)
    assert dropped['available'].sum() == 2
    assert not dropped['img'][~dropped['available']].any()
    assert dropped['img'][dropped['available']].any(axis=(1, 2, 3, 4)).all()
    results['available'] = np.array([False, False, False, True])
    assert SequenceDropout(1.0)(results)['available'].tolist() == [0, 0, 0, 1]


def test_dropout_has_its_probability(results):
    rng = np.random.default_rng(1)
    drop = SequenceDropout(0.25)
    results['available'] = np.ones(4, bool)
    left = [drop({**results, 'rng': rng})['available'].mean() for _ in range(400)]
    assert np.mean(left) == pytest.approx(0.75, abs=0.03)


def test_packing_refuses_what_is_not_finite(results):
    packed = PackROISequences()({**results, 'targets': {'type': 2}, 'size_mm': None})
    assert packed['inputs'].shape == (4, 2, 6, 10, 12)
    assert packed['data_samples'].available.tolist() == [True, True, False, True]
    assert packed['data_samples'].gt_targets == {'type': 2}
    results['img'][0, 0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match='a: img holds NaN'):
        PackROISequences()(results)


@pytest.mark.parametrize('kind', [JointSequences, EachSequence])
def test_wrappers_want_transforms(kind):
    with pytest.raises(ValueError, match='transforms is empty'):
        kind([])
