"""Blank images are asked about once; every answer is the network's own."""

import torch

from mmmed.inference.blank_slices import ReuseBlank


def test_answers_are_those_of_the_network(convolution):
    network = convolution(2, 1, in_channels=2)
    images = torch.randn(5, 2, 6, 9)
    images[1] = images[4] = 0
    images[3, 0], images[3, 1] = 2.5, -1
    wrapped = ReuseBlank(network)
    torch.testing.assert_close(wrapped(images), network(images), rtol=0, atol=1e-6)


def test_a_blank_image_is_asked_about_once(fake):
    network = fake(lambda x: x[:, :1] + 1)
    wrapped = ReuseBlank(network)
    images = torch.zeros(4, 1, 3, 5)
    images[2, 0, 1, 1] = 1
    first, second = wrapped(images), wrapped(images)
    assert network.shapes == [(1, 1, 3, 5), (1, 1, 3, 5), (1, 1, 3, 5)]
    assert torch.equal(first, second)
    assert torch.equal(first, images + 1)


def test_size_and_value_are_told_apart(fake):
    network = fake(lambda x: x[:, :1])
    wrapped = ReuseBlank(network)
    for size in ((3, 5), (5, 3)):
        for value in (0.0, 2.0):
            image = torch.full((1, 1, *size), value)
            assert torch.equal(wrapped(image), image)
    assert len(network.shapes) == 4


def test_a_batch_without_blanks_goes_through_whole(fake):
    network = fake(lambda x: x[:, :1])
    ReuseBlank(network)(torch.rand(3, 1, 4, 4))
    assert network.shapes == [(3, 1, 4, 4)]
