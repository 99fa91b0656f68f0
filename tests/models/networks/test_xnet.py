import pytest
import torch

from mmmed.models.networks import XNet
from mmmed.models.networks.xnet import FeatureSimilarity


def test_size_and_work_of_the_paper(count, count_macs):
    with torch.device('meta'):  # sizes only
        network, images = XNet(), torch.rand(1, 1, 208, 240)
    assert count(network) == (15_072_332, 15_117_646 - 15_072_332)
    macs = sum(count_macs(network, images).values())
    assert macs / 1e9 == pytest.approx(23.3, abs=0.05)


def test_similarity_is_the_product_of_all_pairs_over_their_number():
    torch.manual_seed(0)
    module = FeatureSimilarity(32).eval()
    x = torch.rand(2, 32, 3, 5)
    with torch.no_grad():
        reduced = module.reduce(x)
        theta, phi, value = (
            part(reduced).flatten(2)
            for part in (module.theta, module.phi, module.value)
        )
        pairs = theta.transpose(1, 2) @ phi / 15  # (N, P, P)
        gathered = (pairs @ value.transpose(1, 2)).transpose(1, 2).reshape(2, 2, 3, 5)
        expected = module.expand(reduced + module.merge(gathered)) + x
        torch.testing.assert_close(module(x), expected)
