import numpy as np
import pytest

from mmmed.datasets.transforms.base import DrawnTransform, check_range


class AddLevel(DrawnTransform):
    def draw(self, results, rng):
        return {'level': int(rng.integers(1, 100))}

    def apply(self, results, params):
        return results | {'img': results['img'] + params['level']}


def test_parameters_are_recorded_and_can_be_applied_again(make_sample):
    sample = make_sample() | {'img': np.zeros((3, 2, 1), int)}
    done = AddLevel()(AddLevel()(sample))
    levels = [entry['level'] for entry in done['applied']]
    assert [entry['type'] for entry in done['applied']] == ['AddLevel'] * 2
    assert done['img'].max() == sum(levels)
    assert AddLevel().apply(sample, {'level': 5})['img'].max() == 5


def test_earlier_record_is_left_alone(make_sample):
    record: list = []
    sample = make_sample() | {'applied': record}
    AddLevel()(sample)
    assert record == []


def test_probability_is_met():
    rng = np.random.default_rng(0)
    transform = AddLevel(prob=0.3)
    done = [
        'applied' in transform({'img': np.zeros(1, int), 'rng': rng})
        for _ in range(2000)
    ]
    # Binomial(2000, 0.3): standard deviation 20.
    assert abs(sum(done) - 600) < 80


@pytest.mark.parametrize('prob', [0.0, 1.0])
def test_certain_probabilities(make_sample, prob):
    for seed in range(50):
        assert ('applied' in AddLevel(prob)(make_sample(seed=seed))) is (prob == 1.0)


def test_refuses_a_sample_without_generator():
    with pytest.raises(ValueError, match=r"AddLevel needs a generator in .*'rng'"):
        AddLevel()({'img': np.zeros(1)})


@pytest.mark.parametrize('prob', [-0.1, 1.1, float('nan')])
def test_refuses_a_wrong_probability(prob):
    with pytest.raises(ValueError, match='expected a probability'):
        AddLevel(prob)


@pytest.mark.parametrize('value', [(2, 1), (0, 11), (-1, 5), (1,), (1, 2, 3)])
def test_check_range_refuses(value):
    with pytest.raises(ValueError, match=r'x is .* within \[0, 10\]'):
        check_range('x', value, low=0, high=10)


def test_repr_names_the_arguments():
    assert repr(AddLevel(prob=0.25)) == 'AddLevel(prob=0.25)'
