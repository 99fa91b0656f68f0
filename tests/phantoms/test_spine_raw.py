import csv
import itertools

import nibabel as nib
import numpy as np
import pytest

from mmmed.io import read_volume
from mmmed.phantoms import make_spine_cohort, write_spine_raw

SMALL = {'shape': (48, 44, 12), 'spacing': (2.0, 2.0, 3.0)}


@pytest.fixture(scope='module')
def cohort():
    return list(make_spine_cohort(3, **SMALL, lesions=3, noise=0.01, seed=3))


@pytest.fixture(scope='module')
def raw(cohort, tmp_path_factory):
    out = tmp_path_factory.mktemp('spine')
    assert write_spine_raw(out, cohort, extras=True) == 9
    return out


def find_level(patient, sequence, name):
    shown = patient.images[sequence]
    return np.median(shown.image[shown.masks[name] > 0])


def test_a_person_depends_on_seed_and_number_only(cohort):
    again = next(
        itertools.islice(
            make_spine_cohort(
                2, **SMALL, sequences=['T2w'], lesions=3, noise=0.01, seed=3
            ),
            1,
            None,
        )
    )
    assert again.name == 'sub-thoracic02'
    for name, mask in again.images['T2w'].masks.items():
        np.testing.assert_array_equal(mask, cohort[1].images['T2w'].masks[name])


def test_contrast_follows_the_sequence(cohort):
    for patient in cohort:
        for sequence, csf_is_bright in (('T2w', True), ('T1w', False)):
            masks = patient.images[sequence].masks
            masks['csf'] = (masks['canal'] > 0) & (masks['cord'] == 0)
            cord, csf = (find_level(patient, sequence, n) for n in ('cord', 'csf'))
            assert (csf > 1.5 * cord) if csf_is_bright else (cord > 1.5 * csf)


def test_the_lumbar_cord_ends_and_the_others_do_not(cohort):
    rows = [p.images['T2w'].masks['cord'].any(axis=(1, 2)) for p in cohort]
    assert rows[0].all()
    assert rows[1].all()
    assert rows[2][-1]
    assert not rows[2][:12].any()


def test_the_cord_has_the_area_of_its_ellipse():
    shape, spacing = (24, 96, 72), (2.0, 0.5, 0.5)
    cohort = make_spine_cohort(
        1, shape=shape, spacing=spacing, sequences=['T2w'], regions=['cervical']
    )
    area = next(cohort).images['T2w'].masks['cord'].sum(axis=(1, 2)) * 0.25
    # Semi-axes of about 3.6 and 5.8 mm, a tenth more at the enlargement.
    assert 0.75 < np.median(area) / (np.pi * 3.6 * 5.8 * 1.21) < 1.25


def test_lesions_lie_in_the_cord_and_change_it_as_water_does(cohort):
    counts = [p.images['T2w'].masks['lesion'].sum() for p in cohort]
    assert [count > 0 for count in counts] == [bool(p.lesions) for p in cohort]
    assert max(counts) > 0
    for patient in cohort:
        for sequence, sign in (('T2w', 1), ('T1w', -1)):
            masks = patient.images[sequence].masks
            assert not (masks['lesion'] & (1 - masks['cord'])).any()
            if masks['lesion'].any():
                change = find_level(patient, sequence, 'lesion') - find_level(
                    patient, sequence, 'cord'
                )
                assert sign * change > 0


def test_files_have_the_layout_orientations_and_codes(raw, cohort):
    seen, codes = set(), set()
    for patient, sequence in itertools.product(cohort, ('T1w', 'T2w', 'T2star')):
        path = raw / patient.name / 'anat' / f'{patient.name}_{sequence}.nii.gz'
        volume = read_volume(path)
        seen.add(volume.orientation[::-1])
        header = nib.load(path).header
        codes.add((int(header['qform_code']), int(header['sform_code'])))
        labels = raw / 'derivatives/labels' / patient.name / 'anat'
        mask = read_volume(labels / f'{patient.name}_{sequence}_label-SC_seg.nii.gz')
        volume.check_grid(mask)
        np.testing.assert_array_equal(
            mask.reorient().array, patient.images[sequence].masks['cord']
        )
        np.testing.assert_array_equal(
            volume.reorient().array, patient.images[sequence].image
        )
        assert volume.reorient().spacing == pytest.approx(patient.spacings[sequence])
        assert (labels / f'{patient.name}_{sequence}_label-lesion_seg.nii.gz').is_file()
    assert seen == {'PSR', 'RAS', 'LAS'}
    assert codes == {(2, 1), (1, 1), (0, 1)}
    table = (raw / 'targets.csv').read_text().split()
    assert table[:2] == ['path,location', 'sub-cervical01,cervical']
    with (raw / 'participants.tsv').open() as stream:
        rows = list(csv.DictReader(stream, delimiter='\t'))
    assert [row['region'] for row in rows] == ['cervical', 'thoracic', 'lumbar']
    assert [int(row['lesions']) for row in rows] == [p.lesions for p in cohort]


def test_levels_count_downwards_and_agree_between_sequences(cohort):
    for patient, middle in zip(cohort, (5, 13, 20), strict=True):
        tall, axial = (patient.images[n].masks['levels'] for n in ('T2w', 'T2star'))
        rows = [[n for n in np.unique(row) if n] for row in tall]
        firsts = [row[0] for row in rows if row]
        assert firsts == sorted(firsts, reverse=True)
        assert set(np.unique(axial)) <= set(np.unique(tall))
        assert middle in rows[len(rows) // 2]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'regions': ['knee']}, 'knee'),
        ({'lesions': -1}, '-1 lesions'),
        ({'shape': (4, 9, 9)}, 'voxels'),
        ({'sequences': []}, 'no name'),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        next(make_spine_cohort(1, **options))
