import pytest
import torch

from mmmed.models.networks import DUCKNet
from mmmed.models.networks.duck_net import DUCKBlock


def count_residual(a, b):
    return (a * b + b) + (9 * a * b + 9 * b * b + 6 * b) + 2 * b


def count_block(a, b):
    wide = 9 * a * b + 18 * b * b + 9 * b
    middle = 9 * a * b + 9 * b * b + 6 * b
    residuals = 3 * count_residual(a, b) + 3 * count_residual(b, b)
    separated = 6 * a * b + 6 * b * b + 6 * b
    return 2 * a + wide + middle + residuals + separated + 2 * b


@pytest.mark.parametrize(
    ('depth', 'features', 'channels'), [(5, 17, 3), (5, 17, 1), (3, 8, 1), (1, 2, 1)]
)
def test_size_follows_from_the_description(depth, features, channels, count):
    w = [features * 2**i for i in range(depth + 1)]
    expected = sum(count_block(w[i] if i else channels, w[i]) for i in range(depth))
    expected += sum(count_block(w[i], w[max(0, i - 1)]) for i in range(depth))
    for i in range(1, depth + 1):
        image = w[i - 1] if i > 1 else channels
        expected += 4 * (w[i - 1] + image) * w[i] + 2 * w[i]
    expected += 2 * count_residual(w[-1], w[-1])
    expected += count_residual(w[-1], w[-2]) + count_residual(w[-2], w[-2])
    expected += w[0] + 1
    with torch.device('meta'):
        network = DUCKNet(channels, depth=depth, init_features=features)
    assert count(network)[0] == expected
    if channels == 1 and depth == 5:
        assert f'{expected:,}' in DUCKNet.__doc__


def test_reach_of_the_branches():
    """Pixels that one output pixel depends on, of each branch: rows, columns."""
    block = DUCKBlock(1, 1).eval()
    reach = []
    for branch in block.branches:
        for part in branch.modules():
            if isinstance(part, torch.nn.Conv2d):
                torch.nn.init.ones_(part.weight)
        x = torch.ones(1, 1, 31, 33, requires_grad=True)
        branch(x)[0, 0, 15, 16].backward()
        rows, columns = x.grad[0, 0].nonzero().unbind(1)
        reach.append(tuple(int(i.max() - i.min() + 1) for i in (rows, columns)))
    assert reach == [(13, 13), (7, 7), (5, 5), (9, 9), (13, 13), (6, 6)]


@pytest.mark.parametrize('interpolation', ['nearest', 'bilinear'])
def test_any_size_and_equal_widths(interpolation):
    network = DUCKNet(
        2,
        3,
        depth=2,
        init_features=3,
        use_multiplier=False,
        interpolation=interpolation,
    ).eval()
    x = torch.rand(1, 2, 9, 14)
    padded = torch.nn.functional.pad(x, (1, 1, 1, 2))
    with torch.no_grad():
        logits = network(x)
        assert logits.shape == (1, 3, 9, 14)
        torch.testing.assert_close(logits, network(padded)[..., 1:-2, 1:-1])


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match='got 0 and 17'):
        DUCKNet(depth=0)
    with pytest.raises(ValueError, match="'nearest' or 'bilinear', got 'cubic'"):
        DUCKNet(interpolation='cubic')
