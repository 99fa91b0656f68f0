"""Explanations come back from files as they were; damaged ones do not."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from mmmed.functional.signal_relay import Relay
from mmmed.structures.region_explanation import (
    RegionExplanation,
    read_explanation,
    write_explanation,
)


@pytest.fixture
def explanation(rng):
    return RegionExplanation(
        case_id='p1_lesion0',
        patient_id='p1',
        size_mm=None,
        spacing=(3.0, 1.5, 1.0),
        orientation='SAR',
        model='crn',
        seen_in_training=False,
        sequences=('t2', 'adc'),
        available=np.array([True, False]),
        # Not in the order of the alphabet: it has to survive.
        classes={'wash': ('no', 'yes'), 'type': ('hcc', 'cyst', 'fnh')},
        truth={'wash': -1, 'type': 2},
        prob={'wash': np.array([0.3, 0.7]), 'type': np.array([0.2, 0.7, 0.1])},
        image=rng.normal(size=(2, 3, 4, 5)).astype(np.float32),
        main_target='type',
        shown=('type',),
        fill='mean',
        ablation={'wash': np.zeros((2, 2)), 'type': rng.normal(size=(2, 3))},
        blocks=(((0, 3), (0, 2), (0, 5)), ((0, 3), (2, 4), (0, 5))),
        occlusion=np.array([[[0.1, -0.2], [np.nan, np.nan]]], np.float32),
        target_maps=np.full((2, 1, 2, 2), np.nan, np.float32),
        routing={'wash': ('t2',), 'type': ('t2', 'adc')},
        relay=Relay(
            (('wash', 0), ('wash', 1)), np.ones((3, 2)), np.zeros(3),
            np.array([0.5, 1 / 3]), 'type', 1.7,
        ),
    )  # fmt: skip


def test_round_trip(explanation, tmp_path):
    path = tmp_path / 'a' / 'p1_lesion0.json'
    path.parent.mkdir()
    write_explanation(explanation, path)
    found = read_explanation(path)
    assert list(found.classes) == ['wash', 'type']
    assert found.get_label('type') == 1
    assert found.describe_truth('type') == 'fnh'
    assert found.describe_truth('wash') is None
    for field in fields(explanation):
        if field.name != 'relay':
            expected = getattr(explanation, field.name)
            np.testing.assert_equal(getattr(found, field.name), expected)
    for field in fields(Relay):
        expected = getattr(explanation.relay, field.name)
        np.testing.assert_equal(getattr(found.relay, field.name), expected)
    first = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    write_explanation(found, path)
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == first


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('schema_version', 2),
        ('spacing', [1, 1]),
        ('main_target', 'mvi'),
        ('targets', 7),
        ('blocks', [[[0, 1]]]),
    ],
)
def test_damaged_files_are_named(explanation, tmp_path, key, value):
    path = tmp_path / 'x.json'
    write_explanation(explanation, path)
    facts = json.loads(path.read_text()) | {key: value}
    path.write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=r'x\.json.*explain again'):
        read_explanation(path)


def test_arrays_must_fit(explanation):
    with pytest.raises(ValueError, match='available of case'):
        replace(explanation, available=np.array([True]))
