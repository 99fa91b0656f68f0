"""Two folders of predictions against each other."""

import json

import pytest

from mmmed.files import write_csv_atomic
from mmmed.inference.classification_comparison import compare_folders

TRUTH = ['yes', 'yes', 'no', 'no', '']


def write(folder, scores, classes=('no', 'yes'), truth=TRUTH):
    rows = [
        {
            'case_id': f'c{k}', 'patient_id': f'p{k}', 'target': 'mvi', 'truth': true,
            'pred': 'yes' if score > 0.5 else 'no', 'prob_0': 1 - score,
            'prob_1': score,
        }
        for k, (score, true) in enumerate(zip(scores, truth, strict=True))
    ]  # fmt: skip
    write_csv_atomic(folder / 'predictions.csv', rows)
    text = json.dumps({'ensemble': {'mvi': {'classes': list(classes)}}})
    (folder / 'metrics.json').write_text(text)
    return folder


def test_differences_by_hand(tmp_path):
    ours = write(tmp_path / 'a', [0.9, 0.8, 0.1, 0.3, 0.9])
    theirs = write(tmp_path / 'b', [0.9, 0.2, 0.1, 0.6, 0.1])
    found = compare_folders(ours, theirs)['targets']['mvi']
    assert found['accuracy']['mean_difference'] == 0.5
    assert found['accuracy']['n'] == 4
    assert found['mcnemar']['only_a'] == 2
    assert found['mcnemar']['p_value'] == 0.5
    assert list(found['auc']) == ['yes']
    assert found['auc']['yes']['auc_a'] == 1
    assert found['auc']['yes']['auc_b'] == 0.75
    same = compare_folders(ours, ours)['targets']['mvi']
    assert same['auc']['yes']['p_value'] == 1


def test_what_cannot_be_compared_is_an_error(tmp_path):
    scores = [0.9, 0.8, 0.1, 0.3, 0.9]
    ours = write(tmp_path / 'a', scores)
    other = write(tmp_path / 'b', scores, truth=['no', *TRUTH[1:]])
    with pytest.raises(ValueError, match="case 'c0' is 'yes' in one run"):
        compare_folders(ours, other)
    with pytest.raises(ValueError, match='classes of'):
        compare_folders(ours, write(tmp_path / 'c', scores, classes=('yes', 'no')))
    blank = write(tmp_path / 'd', scores, truth=[''] * 5)
    with pytest.raises(ValueError, match='no labelled case'):
        compare_folders(blank, ours)
    (tmp_path / 'd' / 'metrics.json').write_text('{}')
    with pytest.raises(ValueError, match='is damaged'):
        compare_folders(tmp_path / 'd', ours)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        compare_folders(tmp_path, ours)
