import numpy as np
import pytest
import torch

from mmmed.inference.cascade.slice_network import SliceNetwork
from mmmed.inference.cascade.weights import load_segmenter


@pytest.fixture
def network(segmenter):
    return SliceNetwork(segmenter, batch_size=2)


def test_probabilities_are_one_sigmoid_of_the_logits(network):
    img = np.linspace(0, 255, 3 * 16 * 20, dtype=np.float32).reshape(3, 16, 20)
    expected = 1 / (1 + np.exp(-40 * (img / 255 - 0.35)))
    prob = network(img)
    assert prob.dtype == np.float32
    np.testing.assert_allclose(prob, expected, atol=1e-5)
    # Twice a sigmoid would lie between 0.5 and 0.74.
    assert prob.min() < 1e-5
    assert prob.max() > 1 - 1e-5


def test_any_size_goes_in_and_batches_change_nothing(segmenter, network):
    img = np.random.default_rng(0).uniform(0, 255, (5, 19, 33)).astype(np.float32)
    at_once = SliceNetwork(segmenter, batch_size=5)
    np.testing.assert_allclose(network(img), at_once(img), atol=1e-6)
    padded = np.pad(img, ((0, 0), (0, 13), (0, 15)))
    np.testing.assert_allclose(network(img), network(padded)[:, :19, :33], atol=1e-6)
    assert network(img[:0]).shape == (0, 19, 33)


def test_folding_keeps_probabilities(parts, tmp_path):
    path = parts.save_segmenter(tmp_path / 'cord.pth', 'cord', 0.5)
    segmenter = load_segmenter(path, 'cord_segmentation', 'cord')
    with torch.no_grad():
        for value in segmenter.model.backbone.parameters():
            value.copy_(torch.randn(value.shape, generator=torch.manual_seed(0)) / 3)
    img = np.random.default_rng(0).uniform(0, 255, (2, 16, 16)).astype(np.float32)
    plain = SliceNetwork(segmenter, is_folded=False)(img)
    np.testing.assert_allclose(SliceNetwork(segmenter)(img), plain, atol=1e-5)
