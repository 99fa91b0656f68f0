import numpy as np
import pytest

from mmmed.datasets.transforms.mr_artifacts import RandomMRArtifact


def run(img, seed, **options):
    results = {'img': img, 'rng': np.random.default_rng(seed)}
    return RandomMRArtifact(**options)(results)


def test_what_was_drawn_does_the_same_again(rng):
    img = rng.random((1, 4, 10, 12), dtype=np.float32)
    before = img.copy()
    always = dict.fromkeys(
        ('bias_prob', 'ghost_prob', 'motion_prob', 'noise_prob'), 1.0
    )
    changed = run(img, 3, **always)
    np.testing.assert_array_equal(img, before)
    record = dict(changed['applied'][0])
    assert record.pop('type') == 'RandomMRArtifact'
    again = RandomMRArtifact(**always).apply({'img': img}, record)['img']
    np.testing.assert_array_equal(again, changed['img'])
    assert changed['img'].dtype == np.float32
    assert not np.allclose(run(img, 4, **always)['img'], changed['img'])


def test_one_probability_does_not_shift_the_others(rng):
    img = rng.random((1, 4, 10, 12), dtype=np.float32)
    one = run(img, 3, bias_prob=1.0, ghost_prob=0.0)['applied'][0]
    two = run(img, 3, bias_prob=0.0, ghost_prob=1.0)['applied'][0]
    assert one['bias']
    assert not two['bias']
    assert (one['shift'], one['noise_at']) == (two['shift'], two['noise_at'])


def test_without_any_chance_nothing_happens(rng):
    img = rng.random((1, 2, 5, 6), dtype=np.float32)
    never = dict.fromkeys(('bias_prob', 'ghost_prob', 'motion_prob', 'noise_prob'), 0.0)
    np.testing.assert_array_equal(run(img, 0, **never)['img'], img)
    with pytest.raises(ValueError, match='ghost_prob is 2'):
        RandomMRArtifact(ghost_prob=2)
