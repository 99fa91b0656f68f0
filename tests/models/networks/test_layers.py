import torch

from mmmed.models.networks.layers import BatchNorm2d, ConvNorm, upsample_nearest


def test_norm_has_the_published_constants():
    norm = ConvNorm(1, 2, 3).norm
    assert (norm.eps, norm.momentum) == (1e-3, 0.01)


def test_running_statistics_move_by_one_percent():
    norm = BatchNorm2d(1)
    norm(torch.tensor([1.0, 3.0]).view(2, 1, 1, 1))
    assert abs(norm.running_mean.item() - 0.02) < 1e-7


def test_one_value_a_channel_uses_running_statistics_and_leaves_them():
    norm = BatchNorm2d(2).train()
    norm.running_mean.fill_(1.0)
    norm.running_var.fill_(4.0)
    x = torch.tensor([5.0, 1.0]).view(1, 2, 1, 1)
    found = norm(x).flatten()
    torch.testing.assert_close(found, torch.tensor([4 / 4.001**0.5, 0.0]))
    assert norm.running_mean.tolist() == [1.0, 1.0]
    assert norm.num_batches_tracked == 0


def test_upsampling_repeats_pixels():
    x = torch.tensor([[1.0, 2.0]])[None, None]
    expected = torch.tensor([[1.0, 1, 2, 2], [1, 1, 2, 2]])
    torch.testing.assert_close(upsample_nearest(x)[0, 0], expected)
