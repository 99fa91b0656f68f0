"""What every registered segmentation loss promises, with its default settings."""

import pytest
import torch
from torch import nn

import mmmed.models.losses  # noqa: F401  (fills the registry)
from mmmed.registry import MODELS

NAMES = sorted(
    name
    for name, part in MODELS.module_dict.items()
    if part.__module__.startswith('mmmed.models.losses')
)
EXPECTED = {
    'DiceCELoss',
    'EnhancedMixingLoss',
    'FocalTverskyLoss',
    'PixelFocalLoss',
    'SoftDiceLoss',
    'SoftTverskyLoss',
    'TverskyFocalLoss',
}


@pytest.fixture(params=NAMES)
def loss(request):
    return MODELS.build({'type': f'mmmed.{request.param}'})


@pytest.fixture(params=[1, 2, 3], ids=lambda k: f'{k}ch')
def channels(request):
    return request.param


@pytest.fixture
def logits(rng, channels):
    return torch.from_numpy(rng.normal(size=(2, channels, 4, 6)) * 2)


@pytest.fixture
def target(rng, channels):
    target = torch.from_numpy(rng.integers(0, max(2, channels), size=(2, 4, 6)))
    target[0, 1, 2:4] = 255
    return target


def perfect_logits(target, channels, size=30.0):
    known = target.masked_fill(target == 255, 0)
    if channels == 1:
        return (known.double().unsqueeze(1) * 2 - 1) * size
    code = nn.functional.one_hot(known, channels).movedim(-1, 1)
    return (code.double() * 2 - 1) * size


def test_the_house_has_its_losses():
    assert set(NAMES) == EXPECTED


def test_name_makes_the_trainer_use_it(loss):
    assert loss.loss_name.startswith('loss_')
    with pytest.raises(ValueError, match='must start with'):
        MODELS.build({'type': f'mmmed.{type(loss).__name__}', 'loss_name': 'dice'})


def test_perfect_is_zero_and_errors_cost_more_and_more(loss, target, channels):
    perfect = perfect_logits(target, channels)
    values = [loss(share * perfect, target).item() for share in (-1, -0.1, 0.1, 0.3, 1)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.5
    assert values[-1] == pytest.approx(0, abs=1e-9)


def test_a_step_down_the_gradient_lowers_it(loss, logits, target):
    logits.requires_grad_()
    before = loss(logits, target)
    (gradient,) = torch.autograd.grad(before, logits)
    step = 1e-3 / gradient.abs().max()
    assert loss(logits - step * gradient, target) < before


def test_gradient_is_the_derivative(loss, logits, target):
    weight = torch.linspace(0.1, 2, target.numel(), dtype=torch.float64).view_as(target)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, target, weight), (logits,))


def test_order_of_the_batch_does_not_matter(loss, logits, target):
    expected = loss(logits, target)
    torch.testing.assert_close(loss(logits.flip(0), target.flip(0)), expected)


@pytest.mark.parametrize('space', [(24,), (2, 3, 4), (2, 2, 2, 3)])
def test_any_number_of_dimensions(loss, logits, target, space):
    reshaped = loss(
        logits.reshape(*logits.shape[:2], *space), target.reshape(-1, *space)
    )
    torch.testing.assert_close(reshaped, loss(logits, target))


def test_channels_last_memory_changes_nothing(loss, logits, target):
    strided = logits.to(memory_format=torch.channels_last)
    torch.testing.assert_close(loss(strided, target), loss(logits, target))


def test_ignored_pixels_are_as_if_cut_away(loss, logits, target):
    target[:, :, 2:] = 255
    target[:, :, :2] %= 2
    logits[:, :, :, 2:] = float('nan')
    logits.requires_grad_()
    value = loss(logits, target)
    cut = loss(logits[..., :2], target[..., :2])
    torch.testing.assert_close(value, cut, rtol=1e-12, atol=0)
    (gradient,) = torch.autograd.grad(value, logits)
    assert (gradient[..., 2:] == 0).all()
    assert (gradient[..., :2] != 0).any()


def test_ignored_image_is_as_if_absent(loss, logits, target):
    target[1] = 255
    expected = loss(logits[:1], target[:1])
    torch.testing.assert_close(loss(logits, target), expected, rtol=1e-12, atol=0)


def test_weight_zero_means_ignored(loss, logits, target):
    weight = (target != 255).double()
    weight[:, 2] = 0
    expected = loss(logits, target.index_fill(1, torch.tensor(2), 255))
    actual = loss(logits, target, weight)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=0)


def test_all_ignored_costs_nothing_and_stays_in_the_graph(loss, logits, target):
    logits.requires_grad_()
    value = loss(logits, torch.full_like(target, 255))
    assert value.item() == 0
    value.backward()
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_no_lesion_punishes_false_alarms_only(loss, target, channels):
    empty = torch.zeros_like(target)
    silent = perfect_logits(empty, channels)
    alarmed = silent.clone()
    alarmed[:, :, :2, :3] *= -1
    assert loss(silent, empty).item() == pytest.approx(0, abs=1e-9)
    assert loss(alarmed, empty) > loss(silent, empty) + 0.1


def test_one_channel_equals_two_channels_against_zero(loss, rng):
    score = torch.from_numpy(rng.normal(size=(3, 1, 5, 4)) * 3)
    target = torch.from_numpy(rng.choice([0, 1, 255], size=(3, 5, 4)))
    pair = torch.cat([torch.zeros_like(score), score], dim=1)
    actual, expected = loss(score, target), loss(pair, target)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=0)


def test_mean_over_halves_is_the_whole(loss, rng):
    # What makes two processes train like one with the doubled batch.
    logits = torch.from_numpy(rng.normal(size=(4, 1, 6, 5)))
    target = torch.from_numpy(rng.integers(0, 2, size=(4, 6, 5)))
    halves = (loss(logits[:2], target[:2]) + loss(logits[2:], target[2:])) / 2
    torch.testing.assert_close(halves, loss(logits, target))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_largest_half_precision_logits_stay_finite(loss, target, channels, dtype):
    for sign in (1, -1):
        logits = perfect_logits(target, channels, sign * 60000.0).to(dtype)
        logits.requires_grad_()
        value = loss(logits, target)
        value.backward()
        assert value.dtype == torch.float32
        assert torch.isfinite(value)
        assert torch.isfinite(logits.grad).all()


def test_autocast_computes_in_single_precision(loss, logits, target):
    half = logits.bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = loss(half, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(half.float(), target), rtol=1e-6, atol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_gpu_equals_cpu(loss, logits, target):
    actual = loss(logits.cuda(), target.cuda()).cpu()
    torch.testing.assert_close(actual, loss(logits, target))


def test_loss_weight_is_a_factor(loss, logits, target):
    config = {'type': f'mmmed.{type(loss).__name__}', 'loss_weight': 2.5}
    scaled = MODELS.build(config)(logits, target)
    torch.testing.assert_close(scaled, 2.5 * loss(logits, target))


def test_class_weight_and_ignored_pixels_go_together(loss, logits, target, channels):
    count = max(2, channels)
    config = {'type': f'mmmed.{type(loss).__name__}'}
    equal = MODELS.build({**config, 'class_weight': [3.0] * count})
    torch.testing.assert_close(equal(logits, target), loss(logits, target))
    wrong = MODELS.build({**config, 'class_weight': [1.0] * (count + 1)})
    with pytest.raises(ValueError, match=f'expected {count}'):
        wrong(logits, target)


def test_another_reduction_is_refused(loss, logits, target):
    assert torch.isfinite(loss(logits, target, avg_factor=None))
    with pytest.raises(ValueError, match='only reduction is the mean'):
        loss(logits, target, reduction_override='sum')
