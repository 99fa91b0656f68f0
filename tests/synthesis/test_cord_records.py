import json
import math

import pytest

from mmmed.synthesis import CordLesionRecord

VALUES = {
    'sequence': 'T1w', 'center_mm': (1.1, 2.0, 3.0), 'radii_mm': (3.0, 2.0, 1.0),
    'rotation': (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), 'ratio': 0.7,
    'cord_grey': 1 / 3, 'cord_spread': 0.1, 'edge_mm': 0.5, 'texture_seed': 7,
}  # fmt: skip


def test_json_brings_back_the_same_record():
    record = CordLesionRecord(**VALUES, voxels=3, volume_mm3=0.1)
    assert (
        CordLesionRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
    )
    assert record.nominal_volume_mm3 == pytest.approx(8 * math.pi)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'other': 1}, "no 'other'"),
        ({'ratio': '2'}, 'ratio'),
        ({'ratio': float('nan')}, 'plausible'),
        ({'ratio': 0.0}, 'must be > 0'),
        ({'cord_grey': 0}, 'must be > 0'),
        ({'radii_mm': [1, 2]}, '3 numbers'),
        ({'center_mm': 5}, 'a list'),
        ({'sequence': 'flair'}, 'flair'),
        ({'sequence': None}, 'a name'),
        ({'texture_seed': -1}, '>= 0'),
        ({'texture_seed': 2**32}, '2\\*\\*32'),
        ({'texture': 1.5}, 'texture'),
        ({'voxels': 1.5}, 'voxels'),
    ],
)
def test_what_is_no_record_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CordLesionRecord.from_json({**VALUES, **change})


def test_a_missing_field_is_refused():
    with pytest.raises(ValueError, match='ratio'):
        CordLesionRecord.from_json({k: v for k, v in VALUES.items() if k != 'ratio'})
