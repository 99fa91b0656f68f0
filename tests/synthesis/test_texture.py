import numpy as np
import pytest
import torch

from mmmed.synthesis import LesionRecord
from mmmed.synthesis.shape import build_frames
from mmmed.synthesis.texture import (
    build_grain_kernel,
    evaluate_grain,
    evaluate_modulation,
)

CPU = torch.device('cpu')
BOX = (slice(2, 42), slice(1, 61), slice(3, 53))


def make_lesion(seed=5, **values):
    return LesionRecord(
        'large',
        center_mm=(22.0, 31.0, 28.0),
        radii_mm=(30.0,) * 3,
        texture_seed=seed,
        **values,
    )


def test_modulation_has_unit_deviation_and_its_smoothness():
    lesions = [make_lesion(seed, texture_mm=7.0) for seed in range(12)]
    fields = [
        evaluate_modulation(
            one, build_frames([one]).pick(0), (1, 1, 1), BOX, CPU
        ).numpy()
        for one in lesions
    ]
    values = np.stack(fields)
    assert values.std() == pytest.approx(1, abs=0.05)
    assert abs(values.mean()) < 0.1
    # A spline of independent knots is correlated like its kernel with itself.
    beside = np.corrcoef(values[..., 7:].ravel(), values[..., :-7].ravel())[0, 1]
    assert beside == pytest.approx(1191 / 2416, abs=0.08)


def test_modulation_of_a_part_is_the_part():
    lesion = make_lesion(texture_mm=9.0)
    frame = build_frames([lesion]).pick(0)
    whole = evaluate_modulation(lesion, frame, (2, 1, 1), BOX, CPU)
    part = (slice(10, 20), slice(20, 40), slice(3, 30))
    inner = evaluate_modulation(lesion, frame, (2, 1, 1), part, CPU)
    torch.testing.assert_close(inner, whole[8:18, 19:39, :27], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('wanted', [0.0, 0.3, 0.6, 0.85])
def test_grain_has_deviation_and_correlation(wanted):
    lesion = make_lesion(grain_correlation=(wanted, 0.0, 0.5))
    grain = evaluate_grain(lesion, BOX, CPU).numpy()
    assert grain.std() == pytest.approx(1, abs=0.05)
    for axis, expected in ((0, wanted), (1, 0.0), (2, 0.5)):
        one, other = grain.take(range(1, 40), axis), grain.take(range(39), axis)
        found = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert found == pytest.approx(expected, abs=0.04)


def test_grain_of_a_part_is_the_part():
    lesion = make_lesion(grain_correlation=(0.5, 0.2, 0.0))
    part = (slice(5, 9), slice(7, 20), slice(10, 12))
    whole = evaluate_grain(lesion, BOX, CPU)
    assert torch.equal(evaluate_grain(lesion, part, CPU), whole[3:7, 6:19, 7:9])


def test_kernel_keeps_the_power():
    for correlation in (0.0, 0.4, 0.8):
        assert sum(k * k for k in build_grain_kernel(correlation)) == pytest.approx(1)
