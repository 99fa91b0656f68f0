"""Predictors on real networks give what mmmed.inference gives."""

import numpy as np
import pytest

from mmmed.inference import Inferencer, load_networks
from mmmed.inference.fusion_spec import FusionSpec
from mmmed.inference.plane_fusion import fuse_scan, load_fusion
from mmmed.serving.fusion_predictor import FusionPredictor
from mmmed.serving.predictor import NetworkPredictor
from mmmed.structures import Volume


def test_a_network_gives_the_inferencers_mask(networks, scan) -> None:
    weights = [networks.weights['axial']]
    predictor = NetworkPredictor(networks.config, weights)
    shares: list[float] = []
    found = predictor.predict(scan, shares.append)
    loaded = load_networks(networks.config, weights)
    expected = Inferencer(loaded.networks, loaded.recipe).predict(scan)
    assert np.array_equal(found.mask.array, expected.volume.array)
    assert 0 < found.mask.array.mean() < 1
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert predictor.classes == ('background', 'lesion')
    assert list(predictor.describe()['weights_sha256']) == ['axial.pth']


def test_fusion_gives_the_fused_mask(networks, scan) -> None:
    predictor = FusionPredictor(networks.fusion)
    shares: list[float] = []
    found = predictor.predict(scan, shares.append)
    expected = fuse_scan(load_fusion(FusionSpec.read(networks.fusion)), scan)
    assert np.array_equal(found.mask.array, expected.mask.array)
    assert 0 < found.mask.array.mean() < 1
    assert shares[-1] == pytest.approx(1.0)
    assert set(predictor.describe()['weights_sha256']) == {
        'axial', 'coronal', 'sagittal',
    }  # fmt: skip


def test_fusion_refuses_another_grid(networks, scan) -> None:
    affine = scan.grid.copy()
    affine[0, 3] += 1.0
    moved = Volume(scan.array, scan.spacing, affine)
    with pytest.raises(ValueError, match='grid'):
        FusionPredictor(networks.fusion).predict(moved, lambda share: None)
