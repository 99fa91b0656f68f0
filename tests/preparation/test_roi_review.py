from types import SimpleNamespace

from mmmed.preparation.roi_review import (
    review_sequences,
    review_targets,
    review_windows,
)


def make(low, high, std=1.0, label=0, lost=()):
    percentiles = [low, low, *[(low + high) / 2] * 9, high, high]
    return SimpleNamespace(
        case_id='a',
        img_paths={'adc': 'a.npy'},
        targets={'type': label},
        extra={
            'intensity': {'adc': {'std': std, 'percentiles': percentiles}},
            'source': {'lost': list(lost)},
        },
    )


def test_values_in_another_unit_than_the_window():
    rules = {'adc': {'rule': 'window', 'low': 0.0, 'high': 3000.0}}
    (finding,) = review_windows([make(0.0, 2.5), make(0.1, 1.9)], rules)
    assert 'values of adc from 0 to 2.5 do not fit' in finding.problem
    assert not finding.skipped
    assert review_windows([make(0, 2000)], rules) == []
    assert review_windows([make(0.0, 2.5)], {'adc': {'rule': 'zscore'}}) == []


def test_lost_and_plain_sequences_and_targets_of_one_class():
    lost = {'file': 't2.nii', 'problem': 'cut off', 'remedy': 'fetch it again'}
    found = review_sequences([make(0, 1, std=0.0, lost=[lost])])
    assert [f.skipped for f in found] == [True, False]
    assert str(found[0]) == 'a: t2.nii was left out: cut off; fetch it again'
    assert len(review_targets([make(0, 1), make(0, 1, label=None)], ['type'])) == 1
    assert review_targets([make(0, 1), make(0, 1, label=1)], ['type']) == []
