from collections import Counter

import numpy as np
import pytest

from mmmed.phantoms.stroke_plan import EDGES_MM3, SUBJECTS, plan_cohort


def test_sizes_follow_the_strata_of_atlas():
    plans = plan_cohort(655, seed=3)
    volumes = [sum(part.volume_mm3 for part in plan.parts) for plan in plans]
    strata = np.searchsorted(EDGES_MM3, volumes, side='left')
    counts = np.bincount(strata, minlength=6)
    np.testing.assert_allclose(counts, SUBJECTS, atol=3)


def test_sixty_subjects_meet_every_stratum_and_site():
    plans = plan_cohort(60, sites=8, mask_volumes_mm3=np.geomspace(5e3, 4e5, 100))
    volumes = [sum(part.volume_mm3 for part in plan.parts) for plan in plans]
    assert len(set(np.searchsorted(EDGES_MM3, volumes))) == 6
    sites = Counter(plan.site for plan in plans)
    assert set(sites) == set(range(1, 9))
    assert sites[1] > sites[8]
    assert len({plan.name for plan in plans}) == 60
    assert all(1 <= len(plan.parts) <= 3 for plan in plans)


def test_no_mask_is_used_up_while_others_wait():
    plans = plan_cohort(60, mask_volumes_mm3=np.geomspace(5e3, 4e5, 100))
    used = Counter(p.mask for plan in plans for p in plan.parts if p.mask >= 0)
    assert max(used.values()) <= 4
    assert len(used) > 40
    kinds = {part.kind for plan in plans for part in plan.parts}
    assert kinds == {'whole', 'piece', 'small', 'generated'}


def test_without_masks_all_lesions_are_generated():
    kinds = {p.kind for plan in plan_cohort(9, unlabelled=2) for p in plan.parts}
    assert kinds == {'generated'}


def test_unlabelled_subjects_come_last_and_from_other_sites():
    plans = plan_cohort(5, unlabelled=4, sites=2)
    assert [plan.labelled for plan in plans] == [True] * 5 + [False] * 4
    assert {plan.site for plan in plans[5:]} == {3, 4, 5}


@pytest.mark.parametrize('wrong', [{'sites': 0}, {'seed': -1}, {'unlabelled': -1}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match='expected'):
        plan_cohort(3, **wrong)
