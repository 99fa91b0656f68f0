import subprocess
import sys

import numpy as np
import pytest

from mmmed.evaluation.case_groups import CaseGroups
from mmmed.evaluation.score_definitions import COMPARED, METRICS
from mmmed.evaluation.score_summary import SummaryOptions, summarize_comparison
from mmmed.functional.lesions import match_lesions, stratify_lesions, summarize_strata


def test_strata_of_rows_are_those_of_matches(rng):
    matches, volumes, found, dice, alarms = [], [], [], [], []
    for _ in range(4):
        pred, target = rng.random((2, 9, 8, 7)) < 0.12
        match = match_lesions(pred, target, (3.0, 1.0, 2.0))
        matches.append(match)
        volumes += match.target.volumes.tolist()
        found += match.target_found.tolist()
        dice += match.dice.tolist()
        alarms += match.pred.volumes[~match.pred_true].tolist()
    edges = [7.0, 20.0]
    expected = summarize_strata(matches, edges)
    assert stratify_lesions(volumes, found, dice, alarms, edges) == expected
    assert sum(row['lesions'] for row in expected) == len(volumes) > 20


def test_a_lower_distance_wins():
    rows = [
        {'case_id': f'c{i}', 'label': 'x', 'metric': metric, 'a': 1.0, 'b': b}
        for i, b in enumerate((2.0, 2.0, 1.0, 0.5, None))
        for metric in COMPARED
    ]
    groups = CaseGroups({f'c{i}': f'p{i // 2}' for i in range(5)}, {})
    result = summarize_comparison(rows, ['x'], groups, SummaryOptions())['x']
    for metric, entry in result.items():
        more, less = (2, 1) if METRICS[metric].best == 'low' else (1, 2)
        assert (entry['wins'], entry['ties'], entry['losses']) == (more, 1, less)
        assert (entry['n'], entry['n_undefined'], entry['n_units']) == (4, 1, 2)
        assert entry['mean_difference'] == pytest.approx(np.mean([-1, -1, 0, 0.5]))


@pytest.mark.parametrize(
    'options', [{'strata_mm3': (2, 1)}, {'num_resamples': 0}, {'confidence': 1.0}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match='expected'):
        SummaryOptions(**options)


def test_workers_load_neither_the_host_nor_torch():
    code = (
        'import sys, mmmed.evaluation.folder_evaluation\n'
        "sys.exit(any(name in sys.modules for name in ('torch', 'mmengine'"
        ", 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
