import json
from collections import Counter

import numpy as np
import pytest

from mmmed.functional.lesion_strata import assign_strata
from mmmed.preparation.split_legacy import (
    LesionSlice,
    count_leaks,
    split_holdout_legacy,
    split_slices_legacy,
)


def test_the_hold_out_has_the_published_counts():
    counts = (319, 154, 64, 49, 44, 25)
    volumes = (1_000, 20_000, 50_000, 90_000, 150_000, 300_000)
    subjects = {
        f's{i:03d}': volume
        for i, volume in enumerate(np.repeat(volumes, counts).tolist())
    }
    held = split_holdout_legacy(subjects)
    found = Counter(subjects[name] for name in held)
    assert [found[volume] for volume in volumes] == [64, 31, 13, 10, 9, 5]
    assert held == split_holdout_legacy(subjects)
    assert held != split_holdout_legacy(subjects, seed=1)


@pytest.fixture(scope='module')
def slices():
    """Eighty subjects with 3 to 60 lesion slices of growing and shrinking size."""
    rng = np.random.default_rng(0)
    found = []
    for subject in range(80):
        number, peak = rng.integers(3, 60), rng.lognormal(6, 1.3)
        for index in range(number):
            size = peak * np.sin(np.pi * (index + 1) / (number + 1))
            found.append(LesionSlice(f's{subject:02d}', index, int(size) + 1))
    return found


def test_every_fold_has_its_quota_of_every_stratum(slices):
    folds = split_slices_legacy(slices, 'axial', seed=3)
    strata = Counter(assign_strata([s.pixels for s in slices], 'axial').tolist())
    for fold in folds:
        found = Counter(assign_strata([s.pixels for s in fold], 'axial').tolist())
        assert found == {b: n // 5 for b, n in strata.items() if n >= 5}
    placed = [s for fold in folds for s in fold]
    assert len(set(placed)) == len(placed)
    assert set(placed) <= set(slices)


def test_subjects_leak_as_published_and_the_leak_is_counted(slices):
    folds = split_slices_legacy(slices, 'axial', seed=3)
    leaks = count_leaks(folds, len(slices))
    assert leaks['dropped'] == len(slices) - sum(map(len, folds)) < 30
    assert leaks['shared_subjects'] > 0
    first = {s.subject for s in folds[0]}
    others = {s.subject for fold in folds[1:] for s in fold}
    shared = sum(s.subject in others for s in folds[0]) / len(folds[0])
    assert leaks['leaked_share'][0] == shared
    assert leaks['subjects'][0] == len(first)


def test_the_preparer_writes_it_beside_the_data(raw_atlas, tmp_path):
    from mmmed.preparation import AtlasPreparer

    outcome = AtlasPreparer(num_folds=2, legacy_split=True).prepare(
        raw_atlas.root, tmp_path / 'out', quiet=True
    )
    folder = tmp_path / 'out_legacy_split'
    names = sorted(path.name for path in folder.iterdir())
    assert names[0] == 'Axial_Lesion_fold_01.csv'
    assert len(names) == 3 * 2 + 2
    leaks = json.loads((folder / 'leaks.json').read_text())
    assert leaks['held_out'] == 2
    assert leaks['training'] == 10
    assert 'never train' in outcome.exported[0]
