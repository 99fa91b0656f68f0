import numpy as np
import pytest

from mmmed.inference.cascade.plausibility import list_doubts, measure_section

SPACING = (3.0, 1.0, 0.8)


@pytest.fixture
def cord():
    """Sagittal slices: 3 x 12 voxels of 3 x 0.8 mm across, 86.4 mm2."""
    mask = np.zeros((7, 40, 30), bool)
    mask[2:5, :, 10:22] = True
    return mask


def test_the_cross_section_is_at_right_angles_to_the_body(cord):
    assert measure_section(cord, SPACING, 'sagittal') == pytest.approx(86.4)
    axial = np.moveaxis(cord, 1, 0)
    assert measure_section(axial, (1.0, 3.0, 0.8), 'axial') == pytest.approx(86.4)


def test_a_usual_result_raises_no_doubt(cord):
    lesion = np.zeros_like(cord)
    lesion[3, 5:10, 12:16] = True
    assert list_doubts(cord, lesion, SPACING, 'sagittal') == ()
    assert list_doubts(cord & False, lesion & False, SPACING, 'sagittal') == ()


def test_what_is_unusual_is_named(cord):
    doubts = list_doubts(cord, cord, SPACING, 'sagittal')
    assert doubts == ('lesions are 100% of the volume of the cord',)
    wide = np.ones_like(cord)
    wide[3] = False
    doubts = list_doubts(wide, cord & False, (3.0, 2.0, 2.0), 'sagittal')
    assert [text.split()[0] for text in doubts] == ['pixels', '1', 'median']
    assert '1080 mm2' in doubts[2]
