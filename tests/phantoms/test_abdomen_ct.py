import numpy as np
import pytest
from scipy.ndimage import label as label_components

from mmmed.phantoms.abdomen_ct import make_abdomen, make_abdomen_cohort
from mmmed.phantoms.abdomen_organs import ORGAN_IDS

COARSE = (8.0, 4.0, 5.0)


@pytest.fixture(scope='module')
def patient():
    return make_abdomen(1, spacing=COARSE, tumors=4, seed=0)


def measure_ml(mask, spacing=COARSE):
    return mask.sum() * np.prod(spacing) / 1000


def test_geometry_follows_the_spacing(patient):
    assert patient.volume.shape == (29, 68, 78)
    assert patient.volume.spacing == COARSE
    assert patient.volume.orientation == 'SAR'
    assert patient.volume.array.dtype == np.int16


@pytest.mark.parametrize(
    ('organ', 'low', 'high'),
    [
        ('liver', 900, 2100), ('spleen', 80, 350), ('left_kidney', 100, 280),
        ('right_kidney', 100, 280), ('pancreas', 30, 130), ('gallbladder', 5, 50),
    ],
)  # fmt: skip
@pytest.mark.parametrize('number', [1, 2, 3])
def test_organs_have_the_volume_of_organs(organ, low, high, number):
    organs = make_abdomen(number, spacing=COARSE, tumors=0).organs
    assert low < measure_ml(organs == ORGAN_IDS[organ]) < high


def test_places_are_anatomical(patient):
    # Indices grow towards superior, anterior, right.
    middle = {
        name: np.argwhere(patient.organs == number).mean(0) * COARSE
        for name, number in ORGAN_IDS.items()
    }
    assert middle['liver'][2] > middle['aorta'][2] + 30 > middle['spleen'][2]
    assert middle['right_kidney'][2] > middle['left_kidney'][2] + 80
    assert middle['right_kidney'][0] < middle['liver'][0]
    assert middle['stomach'][1] > middle['left_kidney'][1] + 30


def test_levels_are_those_of_the_phase():
    for phase, liver, kidney in (('portal', 108, 172), ('native', 56, 32)):
        scan = make_abdomen(2, spacing=(8, 4, 4), tumors=0, phase=phase)
        hu = scan.volume.array
        inside = scan.organs == ORGAN_IDS['liver']
        assert np.median(hu[inside]) == pytest.approx(liver, abs=8)
        assert np.median(hu[scan.organs == 3]) == pytest.approx(kidney, abs=8)
        assert hu[0, 0, 0] < -950
    bright = make_abdomen(2, spacing=(6, 3, 3), tumors=0).volume.array
    assert bright.max() > 400  # bone


def test_noise_is_grained_as_in_ct():
    scan = make_abdomen(1, spacing=(4, 2, 2), tumors=0, phase='native')
    aorta = scan.organs == ORGAN_IDS['aorta']
    hu = scan.volume.array.astype(float) - 40
    deviation = hu[aorta].std()
    assert 7 < deviation < 30
    pairs = aorta[..., 1:] & aorta[..., :-1]
    neighbors = np.corrcoef(hu[..., 1:][pairs], hu[..., :-1][pairs])[0, 1]
    assert 0.1 < neighbors < 0.9


def test_tumors_lie_in_their_organ_and_differ_from_it(patient):
    assert patient.tumors.max() >= 1
    inside = patient.tumors > 0
    assert (patient.organs[inside] == ORGAN_IDS['liver']).all()
    classes = patient.label_organ('liver')
    assert set(np.unique(classes)) == {0, 1, 2}
    assert (classes == 2).sum() == inside.sum()
    assert not (patient.label_organ('kidney') == 2).any()


@pytest.mark.parametrize('organ', ['pancreas', 'kidney'])
def test_other_organs_may_have_tumors(organ):
    scans = make_abdomen_cohort(3, spacing=COARSE, organ=organ, seed=5)
    assert any((scan.label_organ(organ) == 2).any() for scan in scans)


def test_the_liver_is_one_piece(patient):
    labels, _ = label_components(patient.organs == ORGAN_IDS['liver'])
    sizes = np.bincount(labels.ravel())[1:]
    assert sizes.max() > 0.99 * sizes.sum()


def test_a_patient_depends_on_seed_and_number_only(patient):
    again = next(make_abdomen_cohort(1, spacing=COARSE, tumors=4))
    assert np.array_equal(again.volume.array, patient.volume.array)
    other = make_abdomen(1, spacing=COARSE, tumors=4, seed=1)
    assert not np.array_equal(other.volume.array, patient.volume.array)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'number': 0}, 'out of range'), ({'seed': -1}, 'out of range'),
        ({'spacing': (20, 1, 1)}, 'out of range'), ({'organ': 'heart'}, 'kidney'),
        ({'phase': 'late'}, 'portal'), ({'spacing': (0, 1, 1)}, 'spacing'),
    ],
)  # fmt: skip
def test_wrong_calls_say_what_is_expected(change, message):
    with pytest.raises(ValueError, match=message):
        make_abdomen(**{'spacing': COARSE} | change)


def test_a_cohort_has_patients():
    with pytest.raises(ValueError, match='patients is 0'):
        list(make_abdomen_cohort(0))
