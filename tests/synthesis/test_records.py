import json
import math
from dataclasses import replace

import pytest

from mmmed.synthesis import LesionRecord


@pytest.fixture
def lesion():
    return LesionRecord(
        kind='tiny',
        center_mm=(1 / 3, 2.0, 3.0),
        radii_mm=(1.0, 2.0, 4.0),
        displacement_mm=tuple(0.1 * i for i in range(81)),
        texture_seed=2**63 - 1,
        capsule_hu=20.0,
    )


def test_a_record_survives_json_exactly(lesion):
    text = json.dumps(replace(lesion, voxels=5, volume_mm3=12.5).to_json())
    assert LesionRecord.from_json(json.loads(text)) == replace(
        lesion, voxels=5, volume_mm3=12.5
    )


def test_nominal_volume_is_that_of_the_ellipsoid(lesion):
    assert lesion.nominal_volume_mm3 == pytest.approx(4 / 3 * math.pi * 8)
    assert lesion.radius_mm == pytest.approx(2)


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('radii_mm', [1, 2], 'needs 3 numbers'),
        ('radii_mm', [0, 1, 1], 'must be > 0'),
        ('radii_mm', 'abc', 'no list'),
        ('center_mm', [0, 0, float('nan')], 'not plausible'),
        ('center_mm', [0, 0, float('inf')], 'not plausible'),
        ('delta_hu', float('nan'), 'not plausible'),
        ('delta_hu', '5', 'expected a number'),
        ('texture_seed', 1.5, 'whole number'),
        ('texture_seed', -1, 'whole number'),
        ('composition', 'paste', 'composition'),
        ('kind', '../x', 'short name'),
        ('mass_effect', 0.9, 'mass_effect'),
        ('surprise', 1, "no 'surprise'"),
    ],
)
def test_a_stranger_s_record_is_checked(lesion, key, value, message):
    values = {**lesion.to_json(), key: value}
    with pytest.raises(ValueError, match=message):
        LesionRecord.from_json(values)


def test_a_missing_key_is_named(lesion):
    values = lesion.to_json()
    del values['radii_mm']
    with pytest.raises(ValueError, match='radii_mm'):
        LesionRecord.from_json(values)
