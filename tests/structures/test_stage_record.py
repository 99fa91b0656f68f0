import json

from mmmed.structures.stage_record import StageRecord


def test_a_record_is_plain_json():
    record = StageRecord(
        name='anatomy',
        model='m',
        checkpoint_sha256=None,
        class_map=('spine', 'other'),
        probs={'spine': 2 / 3, 'other': 1 / 3},
        label='spine',
        threshold=0.5,
        accepted=True,
        reason='spine',
        n_slices=3,
        seconds=0.12345,
        details={'slices': [1, 2]},
    )
    values = record.to_json()
    assert json.loads(json.dumps(values)) == values
    assert values['probs'] == {'spine': 0.666667, 'other': 0.333333}
    assert values['class_map'] == ['spine', 'other']
    assert values['seconds'] == 0.123
