"""ROISample."""

import pytest
import torch

from mmmed.structures.roi_sample import ROISample


def test_a_sample_travels_through_the_hosts_dictionaries():
    sample = ROISample(
        metainfo={'case_id': 'a', 'sequences': ['t2', 'adc']},
        available=torch.tensor([True, False]),
        gt_targets={'type': 2, 'mvi': -1},
    )
    sample.pred_scores = {'type': torch.tensor([0.1, 0.2, 0.7])}
    item = sample.to_dict()
    assert item['gt_targets'] == {'type': 2, 'mvi': -1}
    assert item['case_id'] == 'a'
    assert item['available'].tolist() == [True, False]
    assert sample.to('cpu').pred_scores['type'].argmax() == 2
    assert sample.clone().gt_targets == sample.gt_targets


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('available', [True], 'bool tensor'),
        ('available', torch.ones(1), 'bool tensor'),
        ('available', torch.ones(1, 1, dtype=torch.bool), r'shape \(1, 1\)'),
        ('gt_targets', [1], 'a mapping'),
        ('gt_targets', {'type': -2}, 'class indices'),
        ('pred_scores', torch.ones(2), 'a mapping'),
        ('pred_logits', {'type': 0.5}, r'tensor \(K,\)'),
    ],
)
def test_a_wrong_field_is_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        ROISample(**{name: value})
