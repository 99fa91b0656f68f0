"""Slices into a size and back; held to the training pipeline bit for bit."""

import numpy as np
import pytest
import torch

from mmmed.inference.letterbox import SliceFit
from mmmed.io import write_image
from mmmed.registry import TRANSFORMS

SHAPES = [(650, 650), (40, 40), (31, 57), (57, 31), (64, 48), (1, 9), (100, 3)]


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('channels', [1, 2])
def test_is_what_the_training_pipeline_does(shape, channels, rng, tmp_path) -> None:
    stored = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    stored[..., 2] = 0
    stored = stored if channels == 2 else np.ascontiguousarray(stored[..., 0])
    write_image(tmp_path / 'a.png', stored)
    load = TRANSFORMS.build({'type': 'mmmed.LoadSlice', 'size': (64, 48)})
    facts = {'img_path': str(tmp_path / 'a.png'), 'channels': channels}
    expected = load({**facts, 'seg_map_path': None, 'seg_fields': []})
    fit = SliceFit.plan(shape, (64, 48))
    planes = np.atleast_3d(stored).transpose(2, 0, 1)[:channels]
    assert np.array_equal(fit.apply(planes), expected['img'].transpose(2, 0, 1))
    left, right, top, bottom = expected['img_padding_size']
    assert (fit.left, fit.top) == (left, top)
    assert (fit.inner[0] + top + bottom, fit.inner[1] + left + right) == (64, 48)


def test_nothing_happens_without_a_size(rng) -> None:
    planes = rng.normal(size=(2, 13, 7)).astype(np.float32)
    fit = SliceFit.plan((13, 7), None)
    assert fit.apply(planes) is planes
    logits = torch.from_numpy(planes)[None]
    assert torch.equal(fit.restore(logits, align_corners=False), logits)


def test_margins_come_and_go_without_a_trace(rng) -> None:
    planes = rng.normal(size=(1, 13, 8)).astype(np.float32)
    fit = SliceFit.plan((13, 8), (13, 11))  # an odd margin: the extra pixel is last
    fitted = fit.apply(planes)
    assert fitted.shape == (1, 13, 11)
    assert np.array_equal(fitted[..., 1:9], planes)
    assert not fitted[..., [0, 9, 10]].any()
    logits = torch.from_numpy(fitted)[None]
    assert np.array_equal(fit.restore(logits, align_corners=False)[0], planes)


def test_logits_return_by_bilinear_interpolation() -> None:
    fit = SliceFit.plan((20, 10), (10, 8))
    assert (fit.inner, fit.left) == ((10, 5), 1)
    ramp = torch.arange(10.0).view(1, 1, 10, 1).repeat(1, 1, 1, 8)
    back = fit.restore(ramp, align_corners=False)[0, 0]
    assert back.shape == (20, 10)
    assert back[:4, 3].tolist() == [0.0, 0.25, 0.75, 1.25]
