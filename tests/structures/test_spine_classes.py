"""Class names of the spinal cord pipeline: order, numbers, and what follows."""

import pytest

from mmmed.structures.spine_classes import (
    LOCATION_VIEW,
    SPINE_TARGETS,
    find_class_number,
    join_location_view,
)


def test_the_ten_classes_are_places_by_views_and_what_is_none_of_them():
    assert LOCATION_VIEW == (
        'cervical_axial',
        'cervical_coronal',
        'cervical_sagittal',
        'thoracic_axial',
        'thoracic_coronal',
        'thoracic_sagittal',
        'lumbar_axial',
        'lumbar_coronal',
        'lumbar_sagittal',
        'other',
    )
    sizes = {target: len(names) for target, names in SPINE_TARGETS.items()}
    assert sizes == {
        'anatomy': 4,
        'location': 3,
        'view': 3,
        'location_view': 10,
        'sequence': 4,
        'cord': 2,
    }


@pytest.mark.parametrize(
    ('target', 'name', 'number'),
    [('sequence', 'T2starw', 2), ('cord', 'present', 1), ('location', None, -1)],
)
def test_a_name_has_its_place_as_number(target, name, number):
    assert find_class_number(target, name) == number


@pytest.mark.parametrize(('target', 'name'), [('sequence', 't2w'), ('level', 'C2')])
def test_other_names_are_refused(target, name):
    with pytest.raises(ValueError, match='expected one of'):
        find_class_number(target, name)


@pytest.mark.parametrize(
    ('known', 'expected'),
    [
        (('spine', 'lumbar', 'axial'), 'lumbar_axial'),
        ((None, 'thoracic', 'coronal'), 'thoracic_coronal'),
        (('head', None, 'axial'), 'other'),
        (('spine', None, 'axial'), None),
        (('spine', 'cervical', None), None),
    ],
)
def test_location_and_view_are_joined(known, expected):
    assert join_location_view(*known) == expected
