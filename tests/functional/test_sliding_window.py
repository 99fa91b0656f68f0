import pytest
import torch

from mmmed.functional.sliding_window import predict_by_windows
from mmmed.functional.tiling import compute_gaussian_weights

SPACES = [
    ((23,), (8,), (5,)),
    ((13, 22), (8, 6), (3, 6)),
    ((9, 7, 12), (4, 5, 6), (3, 2, 4)),
]


def gaussian(window):
    return torch.from_numpy(compute_gaussian_weights(window))


def identity(windows, images):
    return torch.cat([windows, -2 * windows], dim=1)


@pytest.mark.parametrize('weigh', [None, gaussian])
@pytest.mark.parametrize(('space', 'window', 'stride'), SPACES)
def test_identity_is_reproduced_in_any_dimension(rng, space, window, stride, weigh):
    inputs = torch.from_numpy(rng.normal(size=(2, 1, *space))).float()
    result = predict_by_windows(
        inputs,
        identity,
        window=window,
        stride=stride,
        window_weights=weigh and weigh(window),
        window_batch=3,
    )
    torch.testing.assert_close(result, identity(inputs, []), rtol=1e-6, atol=1e-6)


def test_constant_answers_stay_constant():
    result = predict_by_windows(
        torch.zeros(1, 1, 650, 512),
        lambda windows, _: torch.full_like(windows, 0.7),
        window=(256, 192),
        stride=(128, 96),
        window_weights=gaussian((256, 192)),
    )
    torch.testing.assert_close(result, torch.full_like(result, 0.7), rtol=1e-6, atol=0)


def test_overlap_is_the_weighted_mean():
    # Two windows of 3 over 4 pixels answer 0 and 1; weights 1, 2, 1.
    answers = iter((0.0, 1.0))
    result = predict_by_windows(
        torch.zeros(1, 1, 4),
        lambda windows, _: torch.full_like(windows, next(answers)),
        window=(3,),
        stride=(2,),
        window_weights=torch.tensor([1.0, 2.0, 1.0]),
        window_batch=1,
    )
    torch.testing.assert_close(result[0, 0], torch.tensor([0, 1 / 3, 2 / 3, 1]))


@pytest.mark.parametrize(
    ('limit', 'expected'), [(1, [1] * 8), (3, [3, 3, 2]), (99, [8])]
)
def test_memory_is_bounded_by_the_window_batch(limit, expected):
    sizes, owners = [], []

    def record(windows, images):
        sizes.append(len(windows))
        owners.extend(images)
        return windows

    predict_by_windows(
        torch.zeros(2, 3, 8, 8),
        record,
        window=(4, 4),
        stride=(4, 4),
        window_batch=limit,
    )
    assert sizes == expected
    assert owners == [0] * 4 + [1] * 4


def test_small_image_is_padded_and_cut():
    inputs = torch.arange(15.0).view(1, 1, 3, 5)

    def check(windows, images):
        assert windows.shape == (1, 1, 4, 8)
        assert (windows[..., 3:, :] == -9).all()
        assert (windows[..., 5:] == -9).all()
        return windows

    result = predict_by_windows(
        inputs, check, window=(4, 8), stride=(2, 4), pad_value=-9.0
    )
    assert torch.equal(result, inputs)


def test_half_precision_scores_are_added_in_single():
    result = predict_by_windows(
        torch.full((1, 1, 64), 60000.0, dtype=torch.float16),
        lambda windows, _: windows,
        window=(8,),
        stride=(1,),
    )
    assert result.dtype == torch.float32
    assert (result == 60000).all()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'window': (4,)}, 'one window size per axis'),
        ({'window_batch': 0}, 'window_batch'),
        ({'window_weights': torch.ones(4, 5)}, 'window_weights must be positive'),
        ({'window_weights': torch.zeros(4, 4)}, 'window_weights must be positive'),
        ({'predictor': lambda w, _: w[..., 1:]}, 'must keep batch and size'),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    settings = {
        'predictor': identity,
        'window': (4, 4),
        'stride': (4, 4),
        **settings,
    }
    with pytest.raises(ValueError, match=message):
        predict_by_windows(torch.zeros(1, 1, 8, 8), **settings)
