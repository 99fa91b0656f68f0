import numpy as np
import pytest

from mmmed.preparation.foreground_intensity import (
    PERCENTILES,
    describe_foreground,
    pool_foreground,
)


def test_pooled_numbers_are_those_of_all_voxels(rng):
    images = [rng.normal(mean, 20, (9, 10, 11)) for mean in (40, 100, 160)]
    masks = [rng.random((9, 10, 11)) < share for share in (0.9, 0.4, 0.1)]
    pairs = list(zip(images, masks, strict=True))
    pooled = pool_foreground([describe_foreground(*pair) for pair in pairs])
    values = np.concatenate([image[mask] for image, mask in pairs])
    assert pooled['voxels'] == values.size
    assert pooled['mean'] == pytest.approx(values.mean(), rel=1e-12)
    assert pooled['std'] == pytest.approx(values.std(), rel=1e-12)
    assert pooled['min'] == pytest.approx(values.min(), rel=1e-6)
    assert pooled['max'] == pytest.approx(values.max(), rel=1e-6)
    for percentile in PERCENTILES:
        found = pooled['percentiles'][f'{percentile:g}']
        # The share of voxels below it, which is what a percentile promises.
        assert (values <= found).mean() == pytest.approx(percentile / 100, abs=0.004)


def test_nothing_labelled():
    image = np.zeros((2, 2, 2))
    assert describe_foreground(image, image > 0) is None
    pooled = pool_foreground([None])
    assert pooled['voxels'] == 0
    assert pooled['percentiles'] is None


def test_one_voxel():
    image = np.arange(8.0).reshape(2, 2, 2)
    pooled = pool_foreground([None, describe_foreground(image, image == 5)])
    assert (pooled['mean'], pooled['std'], pooled['min'], pooled['max']) == (5, 0, 5, 5)
    assert set(pooled['percentiles'].values()) == {5.0}
