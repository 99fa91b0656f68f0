"""Planes put back voxel by voxel, whatever way the scan is stored."""

import dataclasses

import numpy as np
import pytest
import torch

from mmmed.functional.planes import PLANES, extract_slice, insert_slice
from mmmed.inference.fusion_spec import FusionRule
from mmmed.inference.intensity import Intensity
from mmmed.inference.loading import LoadedNetworks
from mmmed.inference.plane_fusion import PlaneFusion, fuse_scan, judge_skull
from mmmed.inference.recipe import VOLUME_PLANES, ScanRecipe
from mmmed.inference.training_grid import TrainingGrid
from mmmed.structures import Volume

SHAPE = (7, 9, 11)
SPACING = (3.0, 0.75, 1.25)


@pytest.fixture
def scan(make_volume, rng):
    """Noise in a box; the slices around it are blank."""
    array = np.zeros(SHAPE, np.float32)
    array[2:6, 3:7, 1:9] = rng.normal(size=(4, 4, 8))
    return make_volume(array, 'SAR')


@pytest.fixture
def make_fusion(convolution, scan):
    """A random convolution for each plane, or for some."""

    def make(planes=PLANES, rule=None, seeds=(0,), **changes):
        loaded = {}
        for number, plane in enumerate(planes):
            recipe = ScanRecipe(
                classes=('background', 'lesion'),
                orientation=VOLUME_PLANES[plane],
                size_divisor=4,
                **changes,
            )
            networks = tuple(
                convolution(2, 1, seed=10 * number + seed) for seed in seeds
            )
            loaded[plane] = LoadedNetworks(networks, recipe, ((f'{plane}.pth', 'ab'),))
        grid = TrainingGrid.from_volume(scan)
        return PlaneFusion(loaded, rule or FusionRule(), grid)

    return make


def predict_reference(fusion, array):
    """Slice by slice, one at a time, put back by hand: probabilities by plane."""
    probs = {}
    for plane, loaded in fusion.planes.items():
        prob = np.zeros(array.shape, np.float32)
        for index in range(array.shape[PLANES.index(plane)]):
            image = np.ascontiguousarray(extract_slice(array, plane, index))
            height, width = image.shape
            padded = np.pad(image, ((0, -height % 4), (0, -width % 4)))
            inputs = torch.from_numpy(padded)[None, None]
            values = [
                network(inputs).sigmoid()[0, 0, :height, :width].numpy()
                for network in loaded.networks
            ]
            insert_slice(prob, plane, index, np.mean(values, axis=0))
        probs[plane] = prob
    return probs


@pytest.mark.parametrize('letters', ['SAR', 'PIL', 'RSA'])
@pytest.mark.parametrize('seeds', [(0,), (0, 1, 2)])
def test_batches_equal_single_slices(make_fusion, scan, letters, seeds):
    fusion = make_fusion(seeds=seeds)
    fused = fuse_scan(fusion, scan.reorient(letters))
    expected = predict_reference(fusion, scan.array)
    for plane in PLANES:
        prob = fused.mask.replace_array(fused.probs[plane]).reorient('SAR').array
        np.testing.assert_allclose(prob, expected[plane], rtol=0, atol=1e-6)
    mean = np.mean(list(expected.values()), axis=0)
    clear = np.abs(mean - 0.5) > 1e-5
    mask = fused.mask.reorient('SAR').array
    assert (mask == (mean >= 0.5))[clear].all()
    assert fused.mask.shape == scan.reorient(letters).shape


def test_blank_slices_need_no_network(make_fusion, scan):
    fusion = make_fusion(planes=('axial',))
    fuse_scan(fusion, scan)
    (network,) = fusion.planes['axial'].networks
    # 4 of 7 slices hold something, one of the others stands for all three.
    assert sum(shape[0] for shape in network.shapes) == 5
    fuse_scan(fusion, scan)
    assert sum(shape[0] for shape in network.shapes) == 9


def test_planes_that_return_their_slices_return_the_volume(make_fusion, scan, identity):
    fusion = make_fusion()
    for plane, loaded in list(fusion.planes.items()):
        same = dataclasses.replace(loaded, networks=(identity,))
        one = PlaneFusion({plane: same}, FusionRule(), fusion.grid)
        fused = fuse_scan(one, scan)
        logits = torch.from_numpy(fused.probs[plane]).logit().numpy()
        np.testing.assert_allclose(logits, scan.array, atol=1e-5)


def test_plane_masks_and_average(make_fusion, scan):
    rule = FusionRule('weighted', 0.5, {'axial': 0.5, 'coronal': 0.5, 'sagittal': 0.0})
    fused = fuse_scan(make_fusion(rule=rule), scan)
    axial = fused.make_plane_mask('axial')
    assert axial.array.dtype == np.uint8
    assert (axial.array == (fused.probs['axial'] >= 0.5)).all()
    mean = (fused.probs['axial'] + fused.probs['coronal']) / 2
    np.testing.assert_allclose(fused.average(rule).array, mean, atol=1e-6)


def test_progress_reaches_one(make_fusion, scan):
    shares = []
    fuse_scan(make_fusion(), scan, on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_other_grids_are_refused(make_fusion, scan):
    moved = np.array(scan.grid)
    moved[0, 3] += 5
    with pytest.raises(ValueError, match=r'shifted by 5\.0'):
        fuse_scan(make_fusion(), Volume(scan.array, SPACING, moved))
    with pytest.raises(ValueError, match='6x9x11 voxels'):
        fuse_scan(make_fusion(), Volume(scan.array[1:], SPACING, scan.grid))


def test_an_unknown_grid_is_no_excuse(make_fusion, scan):
    fusion = make_fusion()
    fusion.grid = None
    with pytest.raises(ValueError, match='--grid'):
        fuse_scan(fusion, scan)


def test_a_prepared_scan_is_not_normalised_again(make_fusion, scan):
    fusion = make_fusion(intensity=Intensity('clip', limits=(0.0, 0.5)))
    plain = make_fusion()
    as_prepared = fuse_scan(fusion, scan, is_prepared=True)
    expected = fuse_scan(plain, scan)
    assert np.array_equal(as_prepared.probs['axial'], expected.probs['axial'])
    assert not np.array_equal(
        fuse_scan(fusion, scan).probs['axial'], expected.probs['axial']
    )


def test_networks_of_another_plane_are_refused(make_fusion):
    fusion = make_fusion()
    swapped = {
        'axial': fusion.planes['sagittal'],
        'sagittal': fusion.planes['axial'],
    }
    with pytest.raises(ValueError, match='given for axial learned sagittal'):
        PlaneFusion(swapped)


@pytest.mark.parametrize(
    ('share', 'meta', 'word'),
    [
        (0.22, {'dataset': 'atlas'}, 'skull-stripped'),
        (0.5, {'dataset': 'atlas'}, None),
        (0.5, {'dataset': 'atlas', 'semi_synthetic': True}, 'whole head'),
        (0.22, {'dataset': 'atlas', 'semi_synthetic': True}, None),
        (0.22, {}, None),
    ],
)
def test_a_skull_is_noticed(share, meta, word):
    array = np.zeros((10, 10, 10), np.uint8)
    array.ravel()[: round(1000 * share)] = 1
    notes = judge_skull(Volume(array, (1.0, 1.0, 1.0)), meta)
    assert [word in note for note in notes] == ([] if word is None else [True])
