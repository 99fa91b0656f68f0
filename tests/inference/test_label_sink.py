"""Where planes go: labels into a view, probabilities through disk."""

import numpy as np
import torch

from mmmed.inference.label_sink import LabelSink, ProbabilitySpool
from mmmed.inference.planes import Plane


def test_labels_land_in_the_mask_behind_the_view() -> None:
    mask = np.zeros((3, 4, 2), np.uint8)
    sink = LabelSink(mask.transpose(1, 0, 2)[::-1], threshold=0.6)
    prob = torch.tensor([[[0.5, 0.7]]])
    sink.add(Plane(0, prob, slice(1, 2), slice(0, 2)))
    assert mask[1, 3].tolist() == [0, 1]
    assert mask.sum() == 1
    several = torch.tensor([[[0.2, 0.4]], [[0.2, 0.3]], [[0.6, 0.3]]])
    sink.add(Plane(3, several, slice(2, 3), slice(0, 2)))
    assert mask[2, 0].tolist() == [2, 0]


def test_probabilities_survive_disk_in_half_precision(tmp_path, rng) -> None:
    prob = torch.from_numpy(rng.random((3, 4, 5, 6)).astype('f4'))
    spool = ProbabilitySpool((4, 5, 6), 2, tmp_path)
    for z in range(4):
        for rows in (slice(0, 2), slice(2, 5)):
            spool.add(Plane(z, prob[:, z, rows], rows, slice(0, 6)))
    assert list(tmp_path.iterdir()) == []  # it has no name
    for number in (0, 1):
        planes = np.stack(list(spool.read(number)))
        assert np.array_equal(planes, prob[number + 1].half().numpy())
    spool.close()


def test_one_channel_is_the_foreground(tmp_path) -> None:
    spool = ProbabilitySpool((1, 1, 2), 1, tmp_path)
    spool.add(Plane(0, torch.tensor([[[0.25, 0.75]]])))
    assert next(spool.read(0)).tolist() == [[0.25, 0.75]]
    spool.close()
