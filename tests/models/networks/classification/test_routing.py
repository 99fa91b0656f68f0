"""Routing tables are checked against the sequences of the data."""

import pytest

from mmmed.models.networks.classification.routing import LIVER_ROUTING, check_routing


def test_the_liver_table_uses_ten_sequences_for_twelve_targets():
    used = {name for names in LIVER_ROUTING.values() for name in names}
    assert len(used) == 10
    assert list(LIVER_ROUTING)[-1] == 'type'
    assert [len(names) for names in LIVER_ROUTING.values()] == [
        *(1, 1, 1, 1, 1),
        *(3, 3, 5, 2, 2, 1, 5),
    ]


def test_one_name_may_stand_alone_and_targets_keep_their_order():
    table = check_routing({'z': 'b', 'a': ['b', 'a']}, ['a', 'b'])
    assert list(table.items()) == [('z', ('b',)), ('a', ('b', 'a'))]


@pytest.mark.parametrize(
    ('routing', 'message'),
    [
        ({'t': ['a', 'flair']}, r"'t' names unknown sequences \['flair'\]; the data"),
        ({'t': ['a', 'b'], 'u': []}, "'u' must name one or more"),
        ({'t': ['a', 'b', 'b']}, "'t' must name one or more different"),
        ({'t': ['a']}, r"no target uses the sequences \['b'\]"),
        ({}, 'names no target'),
    ],
)
def test_tables_that_do_not_fit_are_refused(routing, message):
    with pytest.raises(ValueError, match=message):
        check_routing(routing, ['a', 'b'])


def test_idle_sequences_can_be_allowed():
    assert check_routing({'t': ['a']}, ['a', 'b'], all_used=False) == {'t': ('a',)}
