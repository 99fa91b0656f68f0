"""What the four networks promise together."""

import pytest
import torch
from torch.nn import functional

from mmmed.models.networks import fold_for_inference


@pytest.mark.parametrize('size', [(16, 16), (48, 32), (37, 58), (17, 33), (5, 70)])
def test_logits_have_the_size_of_the_images(name, build, make_images, size):
    for channels in (1, 3):
        network = build(name, out_channels=channels).eval()
        with torch.no_grad():
            logits = network(make_images(name, *size))
        assert logits.shape == (2, channels, *size)
        assert torch.isfinite(logits).all()


def test_other_sizes_are_padded_half_before_half_after(name, build, make_images):
    network = build(name).eval()
    images = make_images(name, 37, 53)  # 48 and 64: 11 and 11, 5 before and 6 after
    padded = functional.pad(images, (5, 6, 5, 6))
    with torch.no_grad():
        torch.testing.assert_close(
            network(images), network(padded)[..., 5:42, 5:58], rtol=0, atol=0
        )


@pytest.mark.parametrize(
    ('size', 'place'),
    [
        ((197, 233), (5, 3)),  # axial; rows published at 6
        ((233, 189), (3, 1)),  # sagittal; 189 columns published in 208, at 9
        ((197, 189), (5, 1)),  # coronal; the same columns
    ],
)
def test_where_slices_of_the_template_grid_lie(build, size, place):
    network = build('RAXNet')
    seen = []
    network.compute_logits = lambda x: seen.append(x) or x
    image = torch.ones(1, 1, *size)
    torch.testing.assert_close(network(image), image)
    (fed,) = seen
    assert all(n % 16 == 0 for n in fed.shape[2:])
    assert fed.sum() == image.sum()
    y, x = (int(fed[0, 0].any(1 - axis).nonzero()[0]) for axis in (0, 1))
    assert (y, x) == place


def test_every_parameter_gets_a_finite_gradient(name, build, make_images):
    network = build(name, out_channels=2).train()
    network(make_images(name, 33, 50)).square().mean().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key


def test_same_seed_same_network_same_numbers(name, build, make_images):
    images = make_images(name, 32, 48)
    first, second = build(name).eval(), build(name).eval()
    with torch.no_grad():
        torch.testing.assert_close(first(images), second(images), rtol=0, atol=0)
        torch.testing.assert_close(first(images), first(images), rtol=0, atol=0)


def test_prediction_does_not_depend_on_the_batch(name, build, make_images, stir):
    network = stir(build(name)).eval()
    images = make_images(name, 32, 48, n=3)
    with torch.no_grad():
        alone = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(network(images), alone, rtol=1e-4, atol=1e-5)


def test_one_image_trains(name, build, make_images):
    logits = build(name).train()(make_images(name, 48, 32, n=1))
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize('is_folded', [False, True])
def test_half_precision_autocast_is_close(name, build, make_images, stir, is_folded):
    network = stir(build(name)).eval()
    if is_folded:
        network = fold_for_inference(network)
    images = make_images(name, 48, 32)
    with torch.no_grad():
        expected = network(images)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            found = network(images)
    assert found.dtype == torch.bfloat16
    # 8 bits a number, over some dozen layers.
    error = (found.float() - expected).abs().max() / expected.abs().max()
    assert error < 0.15


@pytest.mark.parametrize('prior', [0.01, 0.2])
def test_first_guess(name, build, prior):
    network = build(name, prior_prob=prior)
    output = network.head
    assert torch.sigmoid(output.bias).item() == pytest.approx(prior)
    assert build(name).head.bias.item() == 0


@pytest.mark.parametrize('channels', [2, 5])
def test_wrong_images_are_refused(name, build, channels):
    with pytest.raises(ValueError, match='set in_channels to what the data have'):
        build(name)(torch.rand(1, channels, 32, 32))
    with pytest.raises(ValueError, match='expected'):
        build(name)(torch.rand(1, 32, 32))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'base_channels': 0}, 'base_channels must be a positive'),
        ({'out_channels': 0}, 'in_channels and out_channels must be'),
        ({'prior_prob': 0.0}, 'prior_prob must lie'),
    ],
)
def test_impossible_settings_are_refused(name, build, settings, message):
    with pytest.raises(ValueError, match=message):
        build(name, **settings)


@pytest.mark.slow
@pytest.mark.parametrize('size', [(32, 48), (37, 50)])
def test_compiled_networks_give_the_same_logits(name, size, build, make_images, stir):
    # Each network has to become one graph, for one size as inference has it. A C++
    # compiler takes a minute of a processor for its code: one network, padded.
    is_built = (name, size) == ('RAXNet', (37, 50))
    backend = 'inductor' if is_built else 'aot_eager_decomp_partition'
    network = stir(build(name)).eval()
    compiled = torch.compile(network, backend=backend, dynamic=False, fullgraph=True)
    images = make_images(name, *size)
    with torch.no_grad():
        torch.testing.assert_close(
            compiled(images), network(images), rtol=1e-3, atol=1e-3
        )
