import pytest

from mmmed.inference.cascade import (
    AnatomySettings,
    CascadeSettings,
    CordSegmentationSettings,
    LocationViewSettings,
    ProcessingSettings,
    SpinalCordSettings,
)


def test_defaults_are_those_that_were_promised():
    settings = CascadeSettings()
    processing, models = settings.processing, settings.models
    assert (processing.batch_size, processing.confidence_threshold) == (8, 0.5)
    assert processing.on_reject == 'stop'
    assert models.anatomy.threshold == 0.7
    assert models.spine_location_view.threshold == 0.8
    assert models.spine_sequence.threshold == 0.6
    assert models.spinal_cord.min_area == 100
    assert models.lesion_segmentation.min_lesion_size == 10
    assert models.lesion_segmentation.post_process


def test_accepted_places_are_pairs_and_names_may_stand_alone():
    settings = LocationViewSettings(accept_locations='thoracic')
    assert settings.accept == ('thoracic_axial', 'thoracic_sagittal')
    assert AnatomySettings(accept='head').accept == ('head',)


@pytest.mark.parametrize(
    ('group', 'values', 'reason'),
    [
        (AnatomySettings, {'accept': ('leg',)}, "accept is \\['leg'\\]"),
        (AnatomySettings, {'accept': ()}, 'at least one'),
        (AnatomySettings, {'threshold': 1.0}, 'between 0 and 1'),
        (AnatomySettings, {'checkpoint': '../x.pth'}, 'the name of a file'),
        (SpinalCordSettings, {'low_threshold': 0.9}, 'low_threshold is 0.9'),
        (CordSegmentationSettings, {'coarse_factor': 0.5}, 'a number >= 1'),
        (ProcessingSettings, {'on_reject': 'skip'}, "on_reject is 'skip'"),
        (ProcessingSettings, {'plane': 'oblique'}, "plane is 'oblique'"),
        (ProcessingSettings, {'batch_size': True}, 'batch_size is True'),
        (ProcessingSettings, {'gpu_device': -2}, 'gpu_device is -2'),
    ],
)
def test_impossible_values_are_named(group, values, reason):
    with pytest.raises(ValueError, match=reason):
        group(**values)
