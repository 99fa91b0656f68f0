from dataclasses import replace

import numpy as np
import pytest
import torch

from mmmed.synthesis import LesionRecord, apply_lesions
from mmmed.synthesis.composition import build_layers, compose_layer, warp_surroundings

SPACING = (1.0, 1.0, 1.0)
SHAPE = (48, 52, 50)
BALL = LesionRecord('small', (24.0, 26.0, 25.0), (10.0,) * 3, delta_hu=-40.0)


@pytest.fixture
def flat():
    return torch.full(SHAPE, 100.0), torch.ones(SHAPE, dtype=torch.uint8)


def test_subtraction_is_flat_inside_and_half_on_the_surface(flat):
    image, mask = flat
    out, label = apply_lesions(image, mask, [BALL], SPACING)
    assert float(out[24, 26, 25]) == pytest.approx(100 - 40 / 0.9, abs=1)
    # 10 mm from the centre: half of the change in the core.
    core = 100 - float(out[24, 26, 25])
    assert 100 - float(out[24, 26, 35]) == pytest.approx(core / 2, rel=0.02)
    assert int((label == 2).sum()) == pytest.approx(4189, rel=0.02)
    assert float(out[24, 26, 38]) == 100


def test_replacement_brings_its_own_grain(flat):
    image, mask = flat
    rng = np.random.default_rng(0)
    noisy = image + torch.from_numpy(rng.standard_normal(SHAPE, dtype=np.float32)) * 20
    lesion = replace(BALL, composition='replace', tissue_hu=100.0, grain_hu=3.0)
    out, _ = apply_lesions(noisy, mask, [lesion], SPACING)
    core = out[20:29, 22:31, 21:30]
    assert float(core.std()) == pytest.approx(3, rel=0.15)
    assert float(core.mean()) == pytest.approx(100 - 40 / 0.9, abs=2)


def test_capsule_is_bright_on_the_surface(flat):
    image, mask = flat
    out, label = apply_lesions(image, mask, [replace(BALL, capsule_hu=120.0)], SPACING)
    ray = out[24, 26, 25:]
    assert int(ray.argmax()) in (10, 11)
    assert float((out - image)[label == 2].mean()) == pytest.approx(-40, abs=0.01)


def test_necrosis_is_darker_in_the_core(flat):
    image, mask = flat
    lesion = replace(BALL, necrosis_hu=-30.0, necrosis_share=0.5)
    out, label = apply_lesions(image, mask, [lesion], SPACING)
    plain, _ = apply_lesions(image, mask, [BALL], SPACING)
    assert float(out[24, 26, 25] - out[24, 26, 32]) == pytest.approx(-30, abs=3)
    assert float(out[24, 26, 25]) < float(plain[24, 26, 25])
    assert float((out - image)[label == 2].mean()) == pytest.approx(-40, abs=0.01)


def test_mass_effect_pushes_outwards_and_ends(flat):
    _, mask = flat
    image = torch.arange(SHAPE[2], dtype=torch.float32).expand(SHAPE).contiguous()
    lesion = replace(BALL, mass_effect=0.3)
    (layer,) = build_layers([lesion], mask == 1, SPACING, (0, 0, 0))
    warped = warp_surroundings(layer, image[layer.box], SPACING)
    z, y = (c - p.start for c, p in zip((24, 26), layer.box, strict=False))
    x = layer.box[2].start
    ray = warped[z, y]
    # On the surface stands what was at 0.7 radii, at 1.3 radii what was there.
    assert float(ray[35 - x]) == pytest.approx(25 + 7, abs=0.05)
    assert float(ray[38 - x]) == pytest.approx(38, abs=0.05)
    assert float(ray[25 - x]) == pytest.approx(25, abs=0.05)
    assert (torch.diff(ray[25 - x :]) > 0).all()


def test_change_outside_the_organ_is_zero(flat):
    image, mask = flat
    mask[:, :, 28:] = 0
    lesion = replace(BALL, mass_effect=0.3, capsule_hu=50.0)
    (layer,) = build_layers([lesion], mask == 1, SPACING, (0, 0, 0))
    change, count = compose_layer(layer, image[layer.box], SPACING)
    assert count == int(layer.label.sum())
    assert float(change[mask[layer.box] == 0].abs().max()) == 0
    assert float(change[layer.label].mean()) == pytest.approx(-40, abs=0.01)
