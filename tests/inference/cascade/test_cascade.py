from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mmmed.functional.geometry import make_affine
from mmmed.inference.cascade import STAGES, Cascade, WeightsError
from mmmed.structures import Volume


class Answer(nn.Module):
    """A classifier that says the same of every slice, or follows its brightness."""

    def __init__(self, target, probs, *, dark=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.target, self.probs, self.dark = target, probs, dark or probs

    def forward(self, inputs, mode):
        bright = inputs.flatten(1).mean(1) > 0.04
        table = torch.tensor([self.dark, self.probs]).clamp(min=1e-9).log()
        return {self.target: table[bright.long()]}


def change(loaded, settings, **answers):
    """The cascade with other settings and some gates that answer otherwise."""
    gates = dict(loaded.gates)
    for stage, answer in answers.items():
        gates[stage] = replace(gates[stage], model=answer)
    return Cascade(settings, gates, loaded.segmenters)


HEAD = [0.2, 0.8, 0, 0]
UNSURE = [0.5, 0.5, 0, 0]


@pytest.mark.parametrize('orientation', ['SAR', 'PSR', 'LIP'])
def test_masks_lie_on_the_series_own_oblique_grid(loaded, parts, orientation):
    volume, truth = parts.make_series(orientation, outside=True)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    volume = Volume(volume.array, volume.spacing, turn @ volume.grid)
    assert volume.orientation == orientation
    result = loaded.analyze(volume)
    assert result.status == 'accepted'
    assert result.reason == ''
    assert tuple(stage.name for stage in result.stages) == STAGES
    for mask, name in ((result.cord_mask, 'cord'), (result.lesion_mask, 'lesion')):
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, truth[name])
    assert result.confidence.dtype == np.float32
    assert result.confidence.shape == volume.shape
    assert result.confidence[truth['lesion']].max() > 0.95
    # 5 x 5 voxels lie beside the cord, 1.6 mm away, where 1 mm is allowed.
    record = result.stages[-1]
    assert record.details['outside_lesions'] >= 1
    assert record.details['voxels'] == 16
    assert record.details['volume_mm3'] == pytest.approx(16 * 2.4)
    assert any('outside the cord' in text for text in result.warnings)


@pytest.mark.parametrize(
    ('probs', 'decision', 'reason'),
    [
        (HEAD, 'reject', 'not spine: probability 0.20, threshold 0.7'),
        (UNSURE, 'not sure', 'not sure whether spine: probability 0.50'),
    ],
)
def test_a_gate_rejects_or_abstains_and_says_why(
    loaded, parts, probs, decision, reason
):
    volume, _ = parts.make_series()
    cascade = change(loaded, parts.make_settings(), anatomy=Answer('anatomy', probs))
    result = cascade.analyze(volume)
    assert result.status == 'rejected'
    assert result.cord_mask is result.lesion_mask is result.confidence is None
    assert [stage.name for stage in result.stages] == ['anatomy']
    assert result.stages[0].details['decision'] == decision
    assert result.reason.startswith(f'anatomy: {reason}')


@pytest.mark.parametrize(
    ('on_reject', 'num_stages', 'warned'),
    [('stop', 1, False), ('warn', 6, True), ('continue', 6, False)],
)
def test_what_follows_a_rejection_is_a_setting(
    loaded, parts, on_reject, num_stages, warned
):
    volume, truth = parts.make_series()
    settings = parts.make_settings(processing={'on_reject': on_reject})
    result = change(loaded, settings, anatomy=Answer('anatomy', HEAD)).analyze(volume)
    assert len(result.stages) == num_stages
    assert not result.stages[0].accepted
    assert any(text.startswith('anatomy: ') for text in result.warnings) == warned
    if on_reject != 'stop':
        np.testing.assert_array_equal(result.cord_mask, truth['cord'])


def test_the_slice_gate_keeps_slices_with_cord_and_stops_without_any(loaded, parts):
    volume, truth = parts.make_series('PSR')
    answer = Answer('cord', [0.1, 0.9], dark=[0.95, 0.05])
    cascade = change(loaded, parts.make_settings(), spinal_cord=answer)
    result = cascade.analyze(volume)
    assert result.cord_slices == (3, 4, 5)
    assert result.slice_axis == 2
    np.testing.assert_array_equal(result.lesion_mask, truth['lesion'])

    nothing = Answer('cord', [0.9, 0.1])
    cascade = change(loaded, parts.make_settings(), spinal_cord=nothing)
    result = cascade.analyze(volume)
    assert result.reason.startswith('spinal_cord: no slice of 9 shows cord')


def test_a_series_without_cord_is_rejected_and_can_be_forced(loaded, parts):
    dark = np.random.default_rng(0).integers(1, 5, (12, 20, 6))
    dark[0, 0] = 1000
    volume = Volume(dark.astype(np.int16), (1, 1, 3))
    settings = parts.make_settings(spinal_cord={'min_area': 10_000})
    result = Cascade(settings, loaded.gates, loaded.segmenters).analyze(volume)
    assert result.reason.startswith('cord_segmentation: no cord')
    settings = parts.make_settings(
        processing={'on_reject': 'warn'}, spinal_cord={'min_area': 10_000}
    )
    result = Cascade(settings, loaded.gates, loaded.segmenters).analyze(volume)
    assert not result.cord_mask.any()
    assert not result.lesion_mask.any()


def test_a_parasagittal_lesion_is_found_where_it_is(loaded, parts):
    volume, truth = parts.make_series()
    array = volume.array.copy()
    array[truth['lesion']] = 500
    truth = np.zeros(array.shape, bool)
    truth[40:46, 20:23, 3] = True
    array[truth] = 900
    result = loaded.analyze(volume.replace_array(array))
    np.testing.assert_array_equal(result.lesion_mask, truth)


def test_small_lesions_go(loaded, parts):
    volume, _ = parts.make_series()
    settings = parts.make_settings(lesion_segmentation={'min_lesion_size': 17})
    result = Cascade(settings, loaded.gates, loaded.segmenters).analyze(volume)
    assert not result.lesion_mask.any()
    assert result.stages[-1].details['small_voxels'] == 16


def test_gates_without_weights_are_left_out_only_if_settings_say_so(
    weights_folder, parts, tmp_path
):
    for name in ('cord_segmentation.pth', 'lesion_segmentation.pth', 'anatomy.pth'):
        (tmp_path / name).symlink_to(weights_folder / name)
    with pytest.raises(WeightsError, match=r'spine_location_view\.pth does not exist'):
        Cascade.load(tmp_path, parts.make_settings())
    settings = parts.make_settings(processing={'allow_missing_gates': True})
    result = Cascade.load(tmp_path, settings).analyze(parts.make_series()[0])
    skipped = [s.name for s in result.stages if s.details.get('skipped')]
    assert skipped == ['spine_location_view', 'spine_sequence', 'spinal_cord']
    assert sum('left out' in text for text in result.warnings) == 3
    (tmp_path / 'cord_segmentation.pth').unlink()
    with pytest.raises(WeightsError, match=r'cord_segmentation\.pth does not exist'):
        Cascade.load(tmp_path, settings)
    with pytest.raises(WeightsError, match='no folder of weights'):
        Cascade.load(tmp_path / 'absent', settings)


def test_what_is_no_series_is_refused(loaded, parts):
    with pytest.raises(ValueError, match='no contrast'):
        loaded.analyze(Volume(np.ones((4, 4, 4)), (1, 1, 1)))
    broken = np.random.default_rng(0).random((4, 4, 4))
    broken[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match='NaN or infinity'):
        loaded.analyze(Volume(broken, (1, 1, 1)))
    settings = parts.make_settings(processing={'min_slices': 10})
    short = Cascade(settings, loaded.gates, loaded.segmenters)
    result = short.analyze(parts.make_series()[0])
    assert result.reason == 'series: 9 slice(s), expected at least 10 (min_slices)'


def test_a_view_that_contradicts_the_geometry_is_named(loaded, parts):
    volume, _ = parts.make_series()
    # The same pixels, said to lie as axial slices.
    stack = np.ascontiguousarray(np.moveaxis(volume.array, 2, 0))
    axial = Volume(stack, (3.0, 1.0, 0.8), make_affine((3.0, 1.0, 0.8)))
    result = loaded.analyze(axial)
    assert result.plane == 'axial'
    assert any('look sagittal, and are axial' in text for text in result.warnings)
