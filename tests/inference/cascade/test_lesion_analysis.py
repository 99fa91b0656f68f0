"""Lesions of a series against a phantom counted slice by slice, any way it lies."""

import csv
import json
import math

import numpy as np
import pytest

from mmmed.inference.cascade.lesion_analysis import analyze_lesions
from mmmed.structures import Volume

SPACING = (2.0, 0.5, 0.75)
SHAPE = (20, 60, 24)
TURNS = ('SAR', 'PSR', 'LIP', 'RPI')


def make_phantom(slope):
    """A cord 12 x 9 voxels wide that leans forward by ``slope`` voxels a slice."""
    cord, lesion = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    for z in range(2, 18):
        back = 5 + slope * z
        cord[z, back : back + 12, 8:17] = True
        if 6 <= z < 11:
            lesion[z, back + 2 : back + 8, 10:14] = True
    lesion[8, 5 + slope * 8, 11] = False
    return cord, lesion


def count_by_hand(cord, lesion, slope):
    """The measures again, one slice at a time, from their definitions."""
    depth, height, width = SPACING
    cosine = depth / math.hypot(depth, slope * height)
    length, section, wide, damage = 0.0, 0.0, 0.0, 0.0
    dorsal, ventral = [], []
    for z in range(SHAPE[0]):
        if not lesion[z].any():
            continue
        length += depth / cosine
        area = int(lesion[z].sum())
        section = max(section, area * height * width * cosine)
        damage = max(damage, area / int(cord[z].sum()))
        rows = np.flatnonzero(lesion[z].any(axis=1))
        wide = max(wide, (rows[-1] - rows[0] + 1) * height * cosine)
        # The middle of nine voxels from 8 on: a voxel, nothing is interpolated.
        inner, outer = np.flatnonzero(lesion[z, :, 12]), np.flatnonzero(cord[z, :, 12])
        dorsal.append((inner[0] - outer[0]) * height * cosine)
        ventral.append((outer[-1] - inner[-1]) * height * cosine)
    return {
        'volume_mm3': int(lesion.sum()) * depth * height * width,
        'length_mm': length,
        'width_mm': wide,
        'max_equivalent_diameter_mm': 2 * math.sqrt(section / math.pi),
        'max_axial_damage_ratio': damage,
        'dorsal_bridge_mm': min(dorsal),
        'ventral_bridge_mm': min(ventral),
        'total_bridge_mm': min(dorsal) + min(ventral),
        'total_bridge_ratio': (min(dorsal) + min(ventral)) / (12 * height * cosine),
    }


def turn(array, orientation):
    volume = Volume(np.ascontiguousarray(array), SPACING).reorient(orientation)
    return Volume(volume.array, volume.spacing, volume.affine)


@pytest.mark.parametrize('slope', [0, 2], ids=['straight', 'tilted'])
def test_measures_are_those_of_a_count_by_slices(slope):
    cord, lesion = make_phantom(slope)
    analysis = analyze_lesions(lesion, cord, Volume(cord * 1.0, SPACING))
    (row,) = analysis.list_rows()
    for name, value in count_by_hand(cord, lesion, slope).items():
        assert row[name] == pytest.approx(value), name
    step = math.hypot(2, slope * 0.5)
    assert analysis.cord.length_mm == pytest.approx(16 * step)
    # Seven slices of cord, from 17 to 11, lie above the lesion, and five in it.
    assert row['cord_top_mm'] == pytest.approx(7 * step)
    assert row['cord_bottom_mm'] == pytest.approx(12 * step)
    assert (row['first_slice'], row['last_slice']) == (6, 10)


@pytest.mark.parametrize('orientation', TURNS)
def test_the_way_the_array_lies_changes_no_number(orientation):
    cord, lesion = make_phantom(2)
    levels = np.broadcast_to(np.where(np.arange(20) < 9, 5, 4)[:, None, None], SHAPE)
    image = np.where(lesion, 7.0, 2.0)
    first = analyze_lesions(lesion, cord, Volume(image, SPACING), levels=levels)
    volume = turn(image, orientation)
    again = analyze_lesions(
        turn(lesion, orientation).array,
        turn(cord, orientation).array,
        volume,
        levels=turn(levels, orientation).array,
    )
    assert again.labels.shape == volume.shape
    np.testing.assert_array_equal(again.labels > 0, volume.array == 7)
    (one,), (two,) = first.list_rows(), again.list_rows()
    for row in (one, two):
        # The place in the file does depend on the file.
        place = [round(row.pop(f'centroid_voxel_{axis}')) for axis in 'zyx']
        assert row['image_mean'] == 7
        assert row['image_std'] == 0
    assert volume.array[tuple(place)] == 7
    assert two == pytest.approx(one, abs=1e-9)
    assert one['level'] == 5


def test_on_an_oblique_grid_lengths_are_those_along_it():
    cord, lesion = make_phantom(0)
    angle = math.radians(20)
    affine = np.diag((*SPACING[::-1], 1.0))[:, [2, 1, 0, 3]]
    turning = np.eye(4)
    turning[1:3, 1:3] = [
        [math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]
    ]  # fmt: skip
    plain = analyze_lesions(lesion, cord, Volume(lesion, SPACING, affine))
    tilted = analyze_lesions(lesion, cord, Volume(lesion, SPACING, turning @ affine))
    (one,), (two,) = plain.lesions, tilted.lesions
    assert two.length_mm == pytest.approx(one.length_mm) == pytest.approx(10)
    assert two.volume_mm3 == pytest.approx(one.volume_mm3)
    expected = turning[:3, :3] @ one.centroid_mm
    assert two.centroid_mm == pytest.approx(tuple(expected))


def make_hard_cases():
    cord, lesion = make_phantom(0)
    empty = np.zeros(SHAPE, bool)
    beside, above, single, thin = (empty.copy() for _ in range(4))
    beside[8, 40:44, 2:4] = True
    above[18:20, 8:12, 10:12] = True
    single[8, 10, 12] = True
    thin[8] = cord[8]
    return {
        'no lesion': (empty, cord, 0, 0),
        'nothing at all': (empty, empty, 0, 0),
        'beside the cord': (beside, cord, 0, 1),
        'in slices without cord': (above, cord, 0, 1),
        'cord lost': (lesion, empty, 0, 1),
        'no cord given': (lesion, None, 1, 0),
        'one voxel': (single, cord, 1, 0),
        'cord of one slice': (lesion, thin, 1, 0),
        'lesion is the cord': (cord, cord, 1, 0),
    }


@pytest.mark.parametrize('name', make_hard_cases())
def test_hard_cases_give_numbers(name, tmp_path):
    lesion, cord, inside, outside = make_hard_cases()[name]
    image = np.full(SHAPE, np.nan, np.float32)
    analysis = analyze_lesions(lesion, cord, Volume(image, SPACING))
    # Neither NaN nor infinity: the strict writer takes it.
    value = json.loads(json.dumps(analysis.to_json(), allow_nan=False))
    assert value['lesion_count'] == len(value['lesions']) == inside
    assert value['outside_cord']['count'] == outside
    assert value['outside_cord']['volume_mm3'] == pytest.approx(
        0.75 * sum(value['outside_cord']['voxels'])
    )
    assert all(row['image_mean'] is None for row in value['lesions'])
    analysis.write_csv(tmp_path / 'lesions.csv')
    with open(tmp_path / 'lesions.csv', newline='') as stream:
        table = csv.DictReader(stream)
        assert len(list(table)) == inside
    # The columns are there without a lesion too.
    assert {'volume_mm3', 'cord_top_mm', 'centroid_r_mm'} <= set(table.fieldnames)
    if inside:
        assert table.fieldnames == list(value['lesions'][0])


def test_what_is_cut_at_the_cord_and_the_totals():
    cord, lesion = make_phantom(0)
    lesion[14, 0:7, 10:12] = True
    prob = np.where(lesion, 0.75, 0.1).astype(np.float32)
    volume = Volume(prob, SPACING)
    value = analyze_lesions(lesion, cord, volume, confidence=prob).to_json()
    assert value['cut_at_cord'] == {'voxels': 10, 'volume_mm3': pytest.approx(7.5)}
    assert [row['voxels'] for row in value['lesions']] == [120, 4]
    assert value['lesion_volume_mm3'] == pytest.approx(124 * 0.75)
    assert value['lesion_share_of_cord'] == pytest.approx(124 / (16 * 108))
    assert [row['confidence_mean'] for row in value['lesions']] == [0.75, 0.75]


def test_masks_of_another_grid_are_refused():
    cord, lesion = make_phantom(0)
    volume = Volume(cord * 1.0, SPACING)
    with pytest.raises(ValueError, match='cord_mask has shape'):
        analyze_lesions(lesion, cord[1:], volume)
    with pytest.raises(ValueError, match='expected a binary mask'):
        analyze_lesions(lesion * 2, cord, volume)


@pytest.mark.data
def test_the_painted_lesion_in_any_orientation(sample_data):
    from mmmed.io import read_volume

    folder = sample_data / 'spinal_cord' / 't2'
    image, cord, lesion = (
        read_volume(folder / f't2_fake_lesion{name}.nii.gz')
        for name in ('', '_sc_seg', '_lesion_seg')
    )
    rows = []
    for orientation in (image.orientation, *TURNS):
        turned = [v.reorient(orientation) for v in (image, cord, lesion)]
        analysis = analyze_lesions(turned[2].array, turned[1].array, turned[0])
        assert analysis.outside_voxels == ()
        assert analysis.cut_voxels == 0
        np.testing.assert_array_equal(analysis.labels > 0, turned[2].array > 0)
        (row,) = analysis.list_rows()
        assert row['voxels'] == 163
        assert row['volume_mm3'] == pytest.approx(83.45612, abs=1e-4)
        assert row['image_mean'] == pytest.approx(
            float(image.array[lesion.array > 0].mean())
        )
        for axis in 'xyz':
            del row[f'centroid_voxel_{axis}']
        rows.append(row)
    for row in rows[1:]:
        assert row == pytest.approx(rows[0], abs=1e-6)
