import csv
import json

import numpy as np
import pytest

from mmmed.io import read_volume
from mmmed.phantoms import make_lesion_cohort, write_lesion_raw
from mmmed.phantoms.lesion_images import draw_shape, render_sequences
from mmmed.phantoms.lesion_signs import SIGNS, SOURCES, TYPES, draw_signs

SMALL = {'shape': (8, 20, 20), 'spacing': (3.0, 1.5, 1.5)}


def make(patients=1, **options):
    return list(make_lesion_cohort(patients, **SMALL, **options))


def test_a_lesion_depends_on_seed_and_number_only():
    first, second = make(2, seed=4), make(4, seed=4)[:2]
    for one, two in zip(first, second, strict=True):
        assert one.truth == two.truth
        for name, image in one.images.items():
            np.testing.assert_array_equal(image, two.images[name])
    other = make(1, seed=5)[0]
    assert not np.array_equal(other.images['t2'], first[0].images['t2'])


def test_fewer_sequences_are_the_same_images():
    whole, part = make(1)[0], make(1, sequences=('adc', 't2'))[0]
    assert list(part.images) == ['adc', 't2']
    np.testing.assert_array_equal(part.images['t2'], whole.images['t2'])


@pytest.fixture(scope='module')
def typical():
    options = {'atypical': 0.0, 'noise': 0.01, 'seed': 2}
    return make(18, sequences=('lap', 'pv', 't2', 'dwi_b1', 'adc'), **options)


def measure_contrast(lesions, kind, name):
    """Mean of lesions of a type against their liver, in a sequence."""
    found = []
    for lesion in lesions:
        if TYPES[lesion.truth['type']] == kind:
            image = lesion.images[name].astype(float)
            liver = np.median(image[~lesion.mask])
            found.append((image[lesion.mask].mean() - liver) / liver)
    return np.mean(found)


@pytest.mark.parametrize(
    ('name', 'bright', 'dark'),
    [
        ('lap', 'hcc', 'cyst'),  # wash-in
        ('pv', 'cyst', 'hcc'),  # wash-out
        ('t2', 'cyst', 'fnh'),
        ('dwi_b1', 'metastasis', 'hemangioma'),
        ('adc', 'hemangioma', 'icc'),
    ],
)
def test_signs_show_in_their_sequences(typical, name, bright, dark):
    high, low = (measure_contrast(typical, kind, name) for kind in (bright, dark))
    assert high - low > 0.1


def test_a_sign_shows_in_no_other_sequence():
    plain = dict.fromkeys(SIGNS, 0)
    for sign in SIGNS:
        images = []
        for value in (0, 1):
            rng = np.random.default_rng(3)
            shape = draw_shape(rng, (6, 14, 14), (3, 2, 2), 16.0, (3, 7, 7))
            images.append(render_sequences(rng, shape, {**plain, sign: value}))
        changed = {
            n for n in images[0] if not np.array_equal(images[0][n], images[1][n])
        }
        assert changed <= set(SOURCES[sign])
        assert changed


def test_types_are_told_apart_by_their_typical_signs():
    rng = np.random.default_rng(0)
    rows = [draw_signs(rng, kind, atypical=0.0) for kind in TYPES]
    assert len({(r['ap'], r['cent'], r['prog'], r['adc']) for r in rows}) == 6
    atypical = [draw_signs(rng, 'cyst', atypical=1.0) for _ in range(20)]
    assert all(row['adc'] == 0 for row in atypical)
    with pytest.raises(ValueError, match="type 'abscess'"):
        draw_signs(rng, 'abscess')


def test_what_is_missing_has_its_probability():
    lesions = make(
        40, missing_sequences=0.25, missing_labels=0.1, sequences=('t2', 'adc')
    )
    present = np.mean([len(lesion.images) for lesion in lesions])
    assert present == pytest.approx(1 + 0.75, abs=0.2)  # one stays
    assert all(lesion.images for lesion in lesions)
    labels = [v is None for lesion in lesions for v in lesion.targets.values()]
    assert np.mean(labels) == pytest.approx(0.1, abs=0.04)


def test_files_are_in_the_documented_form(tmp_path):
    (lesion,) = make(1, sequences=('t2', 'dwi_b0'))
    assert write_lesion_raw(tmp_path, [lesion]) == 1
    folder = tmp_path / f'LP_0000_lesion0_{lesion.size_mm:.1f}mm'
    record = json.loads((folder / 'annotations.json').read_text())['0']
    assert record['nifti_files'] == "['t2.nii.gz', 'dwi_b0.nii.gz']"
    assert record['distance'] == f'{lesion.size_mm:.1f} mm'
    assert record['type'] == str(lesion.truth['type'])
    volume = read_volume(folder / 't2.nii.gz')
    np.testing.assert_array_equal(volume.array, lesion.images['t2'])
    with (tmp_path / 'truth.csv').open() as stream:
        (row,) = csv.DictReader(stream)
    assert row == {'case': folder.name} | {k: str(v) for k, v in lesion.truth.items()}
    routing = json.loads((tmp_path / 'routing.json').read_text())
    assert routing == {
        't2': ['t2'], 'inner': ['t2'], 'dwi': ['dwi_b0'], 'type': ['t2'],
    }  # fmt: skip


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'sequences': ('t9',)}, "sequence 't9'"),
        ({'lesions': 0}, 'expected 1 or more'),
        ({'missing_labels': 2}, 'probabilities'),
        ({'atypical': -1}, 'a probability'),
    ],
)
def test_a_wrong_wish_is_named(options, text):
    with pytest.raises(ValueError, match=text):
        make(**options)
