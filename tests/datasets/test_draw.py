import pickle

import pytest

from mmmed.datasets.draw import Draw


def test_is_an_index():
    draw = Draw(3, draw=41, seed=5)
    assert 'abcd'[draw] == 'd'
    assert (draw == 3, hash(draw) == hash(3)) == (True, True)


@pytest.mark.parametrize(
    ('shifted', 'index'),
    [
        (Draw(7, draw=41, seed=5) - 5, 2),
        (Draw(7, draw=41, seed=5) % 4, 3),
        (Draw(-1, draw=41, seed=5) + 10, 9),
        (10 + Draw(-1, draw=41, seed=5), 9),
        (pickle.loads(pickle.dumps(Draw(7, draw=41, seed=5))), 7),
    ],
)
def test_keeps_its_draw(shifted, index):
    assert (shifted, shifted.draw, shifted.seed) == (index, 41, 5)
