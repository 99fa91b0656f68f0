from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mmmed.inference.cascade.gates import (
    choose_slices,
    decide,
    judge_series,
    keep_runs,
    predict_slices,
)
from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.stack import SliceStack


class Table(nn.Module):
    """Logits of slices, in the order in which they come."""

    def __init__(self, **logits):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.logits, self.place, self.batches = logits, 0, []

    def forward(self, inputs, mode):
        rows = slice(self.place, self.place + len(inputs))
        self.place += len(inputs)
        self.batches.append(len(inputs))
        return {name: torch.tensor(table)[rows] for name, table in self.logits.items()}


@pytest.fixture
def grey(parts):
    return GreyStack(SliceStack.from_volume(parts.make_series()[0]))


def make_gate(loaded, **tables):
    names = {
        'anatomy': ('spine', 'other'),
        'location': ('cervical', 'lumbar'),
        'view': ('axial', 'sagittal'),
    }
    return replace(
        loaded.gates['anatomy'],
        model=Table(**tables),
        targets={name: names[name] for name in tables},
        temperatures={name: 2.0 if name == 'anatomy' else 1.0 for name in tables},
    )


def test_a_series_is_judged_by_the_mean_of_its_slices_probabilities(loaded, grey):
    # Divided by the temperature 2: odds of spine 9, 9, 9, 9 and 1 in five slices.
    spine = [2 * np.log(9.0)] * 4 + [0.0]
    gate = make_gate(loaded, anatomy=[[value, 0.0] for value in spine])
    record = judge_series(gate, grey, ['spine'], 0.8, max_slices=5, batch_size=2)
    assert record.probs['spine'] == pytest.approx((4 * 0.9 + 0.5) / 5)
    assert record.accepted
    assert record.n_slices == 5
    assert gate.model.batches == [2, 2, 1]
    assert record.class_map == ('spine', 'other')
    assert record.checkpoint_sha256 == loaded.gates['anatomy'].sha256


def test_two_heads_are_joined_slice_by_slice(loaded, grey):
    location = [[0.0, 20.0], [20.0, 0.0]]
    view = [[20.0, 0.0], [0.0, 20.0]]
    gate = make_gate(loaded, location=location, view=view)
    names, probs = predict_slices(gate, grey, [0, 1], 8)
    assert names == (
        'cervical_axial', 'cervical_sagittal', 'lumbar_axial', 'lumbar_sagittal',
    )  # fmt: skip
    # Products of means would give a quarter to each pair.
    np.testing.assert_allclose(probs.mean(0), [0, 0.5, 0.5, 0], atol=1e-6)


@pytest.mark.parametrize(
    ('probs', 'accepted', 'decision', 'label'),
    [
        ((0.7, 0.2, 0.1), 'a', 'accept', 'a'),
        # Accepted classes count together; the label is one of them.
        ((0.35, 0.35, 0.3), 'bc', 'not sure', 'a'),
        ((0.4, 0.32, 0.28), 'ab', 'accept', 'a'),
        ((0.1, 0.15, 0.75), 'ab', 'reject', 'c'),
        ((0.2, 0.4, 0.4), 'a', 'reject', 'b'),
    ],
)
def test_decisions(probs, accepted, decision, label):
    found = decide(dict(zip('abc', probs, strict=True)), accepted, 0.7)
    assert (found.decision, found.label) == (decision, label)
    assert 'threshold 0.7' in found.reason
    assert found.reason.startswith('not sure') == (decision == 'not sure')


def test_slices_of_a_series_are_spread_evenly():
    np.testing.assert_array_equal(choose_slices(range(60), 4), [7, 22, 37, 52])
    np.testing.assert_array_equal(choose_slices([3, 5, 8], 16), [3, 5, 8])
    assert len(choose_slices([], 16)) == 0


@pytest.mark.parametrize(
    ('prob', 'kept'),
    [
        # Hysteresis: 0.4 goes on with a run, and starts none.
        ([0.4, 0, 0.4, 0.9, 0.4, 0.2], [2, 3, 4]),
        # No hole in the middle, however long.
        ([0.9, 0.9, 0, 0, 0, 0, 0, 0.9, 0.9], list(range(9))),
        # A single slice far from the others is an error, a near one is not.
        ([0.9, 0, 0, 0, 0, 0.9, 0.9, 0.9], [5, 6, 7]),
        ([0, 0, 0.9, 0, 0, 0.9, 0.9, 0.9], [2, 3, 4, 5, 6, 7]),
        ([0.9, 0, 0, 0, 0, 0.9], [0, 1, 2, 3, 4, 5]),
        ([0.4, 0.4], []),
    ],
)
def test_runs_of_slices(prob, kept):
    assert keep_runs(np.array(prob), 0.5, 0.3, 3).tolist() == kept


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_kept_slices_have_no_gap_and_hold_the_most_certain_run(values):
    prob = np.array(values)
    kept = keep_runs(prob, 0.5, 0.3, 3)
    assert bool(len(kept)) == bool((prob >= 0.5).any())
    if len(kept):
        np.testing.assert_array_equal(kept, np.arange(kept[0], kept[-1] + 1))
        assert prob[kept].max() >= 0.5
        assert prob[kept[0]] >= 0.3
        assert prob[kept[-1]] >= 0.3
