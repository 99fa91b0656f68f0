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


def test_windows_without_anything_needed_are_left_out(rng):
    inputs = torch.from_numpy(rng.normal(size=(2, 1, 20, 24))).float()
    seen = []

    def mix(windows, images):
        seen.extend(images)
        mean = windows.mean(dim=(2, 3), keepdim=True)  # differs from window to window
        return torch.cat([windows + mean, windows * mean], dim=1)

    options = {
        'window': (8, 6),
        'stride': (4, 3),
        'window_weights': gaussian((8, 6)),
        'window_batch': 3,
    }
    whole = predict_by_windows(inputs, mix, **options)
    needed = torch.zeros(2, 20, 24, dtype=torch.bool)
    needed[0, 2:5, 3:9] = True
    count = len(seen)
    seen.clear()
    part = predict_by_windows(inputs, mix, needed=needed, fill=(1.0, 0.0), **options)
    wanted = needed[:, None].expand(-1, 2, -1, -1)
    assert torch.equal(part[wanted], whole[wanted])
    assert 0 < len(seen) < count / 4
    assert set(seen) == {0}
    assert (part[1, 0] == 1).all()
    assert (part[1, 1] == 0).all()
    assert torch.isfinite(part).all()
    seen.clear()
    nothing = predict_by_windows(inputs, mix, needed=needed & False, **options)
    assert nothing.shape == whole.shape
    assert seen == [0]


def test_one_window_of_several_images_is_not_weighted(rng):
    inputs = torch.from_numpy(rng.normal(size=(2, 1, 4, 4))).float()
    options = {'window': (4, 4), 'stride': (4, 4), 'window_weights': gaussian((4, 4))}
    needed = torch.zeros(2, 4, 4, dtype=torch.bool)
    needed[1, 0, 0] = True
    part = predict_by_windows(
        inputs, identity, needed=needed, fill=(5.0, 6.0), **options
    )
    assert torch.equal(part[1:], identity(inputs[1:], []))
    assert (part[0, 0] == 5).all()
    assert (part[0, 1] == 6).all()


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
        ({'needed': torch.ones(1, 8, 8)}, 'needed must be a mask'),
        (
            {'needed': torch.ones(1, 8, 8, dtype=torch.bool), 'fill': (1.0,)},
            'fill has 1 scores',
        ),
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
