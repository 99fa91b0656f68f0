import numpy as np
import pytest
import torch

from mmmed.functional.mr_artifacts import (
    MRArtifacts,
    apply_artifacts,
    build_bias,
    build_line_matrix,
)


@pytest.fixture
def img(rng):
    return torch.from_numpy(rng.random((1, 3, 8, 12), dtype=np.float32))


def test_nothing_changes_nothing(img):
    result = apply_artifacts(img, MRArtifacts())
    torch.testing.assert_close(result, img, rtol=0, atol=0)
    assert result.data_ptr() != img.data_ptr()


@pytest.mark.parametrize('axis', [1, 2])
def test_a_shift_of_all_lines_is_a_shift(img, axis):
    # All lines but the middle one, whose phase does not count, saw it moved.
    moved = apply_artifacts(img, MRArtifacts(shift=2.0, moved_share=1.0, axis=axis))
    torch.testing.assert_close(
        moved, torch.roll(img, 2, dims=axis + 1), rtol=1e-5, atol=1e-5
    )


def test_motion_and_ghosts_agree_with_k_space(img):
    artifacts = MRArtifacts(
        ghosts=3, ghost_strength=0.4, shift=1.5, moved_share=0.5, axis=2
    )
    line = np.fft.fftfreq(12, 1 / 12)
    spectrum = np.fft.fft(img.numpy(), axis=-1)
    outer = np.abs(line) > 3
    spectrum[..., outer] *= np.exp(-2j * np.pi * line[outer] * 1.5 / 12)
    weak = (line % 3 == 0) & (line != 0)
    spectrum[..., weak] *= 0.6
    expected = np.fft.ifft(spectrum, axis=-1).real
    result = apply_artifacts(img, artifacts)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)


def test_ghosts_are_where_they_belong():
    # A point has ghosts a third of the field of view apart.
    img = torch.zeros(1, 1, 24, 4)
    img[0, 0, 12, 1] = 1
    result = apply_artifacts(img, MRArtifacts(ghosts=3, ghost_strength=0.5))
    column = result[0, 0, :, 1].abs()
    assert column[12] > 0.5
    assert set(torch.topk(column, 3).indices.tolist()) == {12, 4, 20}
    rows = build_line_matrix(24, MRArtifacts(ghosts=3, ghost_strength=0.5))
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-12)


def test_a_coil_is_smooth_and_keeps_the_mean_of_its_logarithm():
    values = [0.0] * 27
    values[13] = 0.8
    field = build_bias(values, (5, 9, 7))
    assert field.log().mean().abs() < 1e-6
    assert field[2, 4, 3] == field.max()
    assert field.max() / field.min() == pytest.approx(np.exp(0.8), rel=1e-5)
    img = torch.full((1, 5, 9, 7), -3.0)
    img[0, 0, 0, 0] = 1.0
    result = apply_artifacts(img, MRArtifacts(bias=tuple(values)))
    assert result.min() == -3
    assert result[0, 0, 0, 0] == pytest.approx(4 * float(field[0, 0, 0]) - 3, rel=1e-5)


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'bias': (1.0,)}, 'expected 27'),
        ({'axis': 0, 'ghosts': 2}, 'axis 0'),
        ({'ghosts': 2, 'ghost_strength': 2.0}, 'expected 0 to 1'),
    ],
)
def test_numbers_out_of_range(img, options, text):
    with pytest.raises(ValueError, match=text):
        apply_artifacts(img, MRArtifacts(**options))
