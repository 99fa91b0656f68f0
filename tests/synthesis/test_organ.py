import numpy as np
import pytest

from mmmed.synthesis import find_organ, measure_tissue


def test_box_counts_and_volume():
    mask = np.zeros((6, 8, 10), np.uint8)
    mask[1:3, 2:6, 3:8] = 1
    mask[2, 2, 3] = 2
    mask[5, 7, 9] = 255
    organ = find_organ(mask, (2.0, 1.0, 0.5))
    assert organ.box == (slice(1, 3), slice(2, 6), slice(3, 8))
    assert organ.counts.tolist() == [20, 19]
    assert organ.tumor.sum() == 1
    assert not organ.mask[1, 0, 0]
    assert organ.volume_ml == pytest.approx(0.039)


@pytest.mark.parametrize('shape', [(4, 5, 6), (0, 5, 6)])
def test_no_organ_is_none(shape):
    assert find_organ(np.zeros(shape, bool), (1, 1, 1)) is None


def test_wrong_masks_are_refused():
    with pytest.raises(ValueError, match='holds 7'):
        find_organ(np.full((2, 2, 2), 7), (1, 1, 1))
    with pytest.raises(ValueError, match='float'):
        find_organ(np.zeros((2, 2, 2)), (1, 1, 1))
    with pytest.raises(ValueError, match='spacing'):
        find_organ(np.ones((2, 2, 2), np.uint8), (1, 1))


def test_tissue_of_white_noise_with_vessels(rng):
    mask = np.ones((30, 40, 20), np.uint8)
    image = (100 + 10 * rng.standard_normal(mask.shape)).astype(np.float32)
    image[10:12] = 400  # vessels do not count
    image[0, 0, 0] = np.nan
    tissue = measure_tissue(image, find_organ(mask, (1, 1, 1)))
    assert tissue.level_hu == pytest.approx(100, abs=1)
    assert tissue.noise_hu == pytest.approx(9.9, abs=0.4)
    assert max(tissue.correlation) < 0.05


def test_correlation_is_found_along_its_axis(rng):
    mask = np.ones((40, 40, 30), np.uint8)
    noise = rng.standard_normal((41, 40, 30))
    image = 50 + 5 * (noise[1:] + noise[:-1]) / np.sqrt(2)  # 0.5 between neighbours
    correlation = measure_tissue(image, find_organ(mask, (1, 1, 1))).correlation
    np.testing.assert_allclose(correlation, (0.5, 0, 0), atol=0.05)
