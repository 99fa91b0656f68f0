"""How ShuffleNet mixes its halves."""

import torch

from mmmed.models.networks.classification.roi_shufflenet import shuffle_halves


def test_halves_take_turns():
    x = torch.arange(6.0).reshape(1, 6, 1, 1, 1)
    assert shuffle_halves(x).flatten().tolist() == [0, 3, 1, 4, 2, 5]
