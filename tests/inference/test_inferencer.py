"""From a scan to a label map on the scan's own grid."""

import dataclasses

import numpy as np
import pytest
import torch

from mmmed.functional.organ_rule import OrganRule
from mmmed.inference.inferencer import Inferencer
from mmmed.inference.recipe import PICTURE_PLANES

ORIENTATIONS = ['SAR', 'SPL', 'LAS', 'PSR']


@pytest.mark.parametrize('letters', ORIENTATIONS)
@pytest.mark.parametrize('tilt_deg', [0.0, 23.0])
@pytest.mark.parametrize('kind', [*PICTURE_PLANES, 'volume', 'resampled'])
def test_mask_lies_on_the_scan_to_the_voxel(
    letters, tilt_deg, kind, make_volume, recipe2d, recipe3d, identity, rng
) -> None:
    """A threshold gives the same voxels whichever way the scan is turned."""
    scan = rng.normal(size=(7, 9, 11)).astype(np.float32)
    volume = make_volume(scan, letters, tilt_deg)
    if kind in PICTURE_PLANES:
        recipe = dataclasses.replace(recipe2d, orientation=PICTURE_PLANES[kind])
    else:
        # A third of each voxel: its center stays a grid point, so that interpolating
        # back invents nothing.
        thirds = tuple(mm / 3 for mm in volume.reorient('LPS').spacing)
        recipe = dataclasses.replace(
            recipe3d,
            classes=('background', 'lesion'),
            out_channels=1,
            orientation='LPS',
            crop_size=(40, 40, 40),
            stride=(40, 40, 40),
            spacing=thirds if kind == 'resampled' else None,
        )
    result = Inferencer([identity], recipe).predict(volume)
    assert result.volume.array.dtype == np.uint8
    assert np.array_equal(result.volume.grid, volume.grid)
    assert np.array_equal(result.volume.array, scan > 0)


def test_slices_of_a_model_trained_on_another_size(make_volume, recipe2d, identity):
    """A box on the grid of the smaller size comes back exactly at its place."""
    scan = np.full((3, 24, 16), -1.0, np.float32)
    scan[1, 8:16, 4:12] = 1.0
    recipe = dataclasses.replace(recipe2d, size=(12, 12), size_divisor=16)
    for letters in ORIENTATIONS:
        volume = make_volume(scan, 'SPL').reorient(letters)
        result = Inferencer([identity], recipe).predict(volume)
        assert np.array_equal(result.volume.array, volume.array > 0)
    assert {shape[2:] for shape in identity.shapes} == {(16, 16)}


def test_rules_of_an_ensemble(make_volume, recipe2d, fake) -> None:
    # Logits of three networks at three voxels; mean probabilities in the comment.
    logits = np.array([[4.0, 4.0, -1], [-1, 4.0, -1], [-1, -4.0, -1]])
    networks = [
        fake(lambda x, row=row: torch.tensor(row, dtype=x.dtype).expand(x.shape))
        for row in logits
    ]
    volume = make_volume(np.zeros((1, 1, 3), 'f4'), 'SPL')
    labels = {
        rule: Inferencer(networks, recipe2d, rule=rule).predict(volume)
        for rule in ('mean', 'vote', 'staple')
    }
    # (0.98 + 0.27 + 0.27) / 3 = 0.51; (0.98 + 0.98 + 0.02) / 3 = 0.66; 0.27
    assert labels['mean'].volume.array.ravel().tolist() == [1, 1, 0]
    assert labels['vote'].volume.array.ravel().tolist() == [0, 1, 0]
    assert labels['staple'].volume.array[0, 0, 2] == 0
    assert len(labels['staple'].staple['sensitivity']['lesion']) == 3


@pytest.mark.parametrize('rule', ['mean', 'vote'])
def test_one_network_makes_no_ensemble(
    rule, make_volume, recipe3d, convolution, rng
) -> None:
    volume = make_volume(rng.normal(size=(9, 13, 12)).astype('f4'))
    network = convolution(3, 4)
    alone = Inferencer([network], recipe3d).predict(volume).volume.array
    thrice = Inferencer([network] * 3, recipe3d, rule=rule).predict(volume)
    assert np.array_equal(thrice.volume.array, alone)
    assert set(np.unique(alone)) == {0, 1, 2, 3}


def test_labels_do_not_depend_on_memory(make_volume, recipe3d, convolution, rng):
    volume = make_volume(rng.normal(size=(9, 40, 33)).astype('f4'), 'PSR', 5.0)
    recipe = dataclasses.replace(
        recipe3d, classes=tuple('abcdefgh') * 8, out_channels=64, orientation='SPL'
    )
    network = convolution(3, 64)
    runs = [
        Inferencer([network], recipe, memory_mib=memory, batch_size=batch)
        for memory, batch in ((None, 4), (1, 4))
    ]
    first, second = (run.predict(volume).volume.array for run in runs)
    assert np.array_equal(first, second)


@pytest.mark.parametrize('kind', ['recipe2d', 'recipe3d'])
def test_memory_that_runs_short_is_told_and_changes_nothing(
    kind, request, make_volume, fake, rng
) -> None:
    recipe = request.getfixturevalue(kind)

    def run(x):
        if len(x) > 2:
            raise torch.cuda.OutOfMemoryError('CUDA out of memory')
        return torch.cat([x] * recipe.out_channels, 1)

    volume = make_volume(rng.normal(size=(14, 15, 16)).astype('f4'))
    small = Inferencer([fake(run)], recipe, batch_size=8)
    result = small.predict(volume)
    assert 'Out of memory with 8' in result.notes[0]
    assert small.batch_size == 2
    plain = Inferencer([fake(run)], recipe, batch_size=1).predict(volume)
    assert np.array_equal(result.volume.array, plain.volume.array)
    assert small.predict(volume).notes == ()  # it has learned


def test_every_finished_plane_is_handed_out(make_volume, recipe2d, identity) -> None:
    volume = make_volume(np.ones((3, 4, 5), 'f4'), 'ALS')
    planes, shares = [], []

    def start(grid):
        assert grid.turned_shape == (5, 3, 4)
        return planes.append

    Inferencer([identity], recipe2d).predict(
        volume, on_start=start, on_progress=shares.append
    )
    assert [plane.index for plane in planes] == list(range(5))
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    voting = Inferencer([identity], recipe2d, rule='vote')
    with pytest.raises(ValueError, match='no probabilities'):
        voting.predict(volume, on_start=start)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'rule': 'median'}, 'rule'),
        ({'use_tta': True}, 'views'),
        ({'batch_size': 0}, 'batch size'),
        ({'memory_mib': 0}, 'memory_mib'),
    ],
)
def test_impossible_options(options, message, recipe2d, identity) -> None:
    with pytest.raises(ValueError, match=message):
        Inferencer([identity], recipe2d, **options)


@pytest.mark.parametrize('letters', ORIENTATIONS)
def test_lesions_stay_only_near_the_organ(letters, make_volume, recipe2d, fake) -> None:
    """An organ (1), a lesion (2) 3 x 3 mm from it along Z, one 6 x 1.25 mm along X."""
    scan = np.zeros((9, 12, 16), np.float32)
    scan[1:4, 2:9, 2:8] = 1
    scan[6, 4, 4] = 2
    scan[2, 4, 13] = 2
    network = fake(lambda x: 10.0 * torch.cat([x == k for k in range(3)], 1).float())
    classes = ('background', 'liver', 'tumor')
    recipe = dataclasses.replace(recipe2d, classes=classes, out_channels=3)
    volume = make_volume(scan, 'SAR').reorient(letters)
    for within_mm, kept in ((7.4, 0), (7.5, 1), (9, 2)):
        rule = OrganRule('liver', 'tumor', within_mm)
        result = Inferencer([network], recipe, organ_rule=rule).predict(volume)
        assert (result.volume.array == 2).sum() == kept
        assert (result.volume.array == 1).sum() == 3 * 7 * 6
        assert any('removed' in note for note in result.notes) == (kept < 2)
    with pytest.raises(ValueError, match="names 'spleen'"):
        Inferencer([network], recipe, organ_rule=OrganRule('spleen', 'tumor', 1))
