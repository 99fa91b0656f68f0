import numpy as np
import pytest

from mmmed.datasets import AddROIBox, LoadROISequences, SelectROISlices
from mmmed.functional.geometry import make_affine
from mmmed.functional.sequence_scale import measure_values

AFFINE = make_affine((4.0, 1.0, 2.0)).tolist()


def make_results(folder, shapes=None, **changes):
    """A lesion whose voxel values are 1000 z + 50 y + x."""
    shapes = shapes or {'t2': (5, 12, 10), 'adc': (5, 12, 10)}
    paths, grids, intensity = {}, {}, {}
    for name, shape in shapes.items():
        z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
        array = (1000 * z + 50 * y + x).astype(np.int16)
        paths[name] = str(folder / f'{name}.npy')
        np.save(paths[name], array)
        grids[name] = {'shape': shape, 'spacing': (4.0, 1.0, 2.0), 'affine': AFFINE}
        intensity[name] = measure_values(array)
    results = {
        'case_id': 'a',
        'sequences': ('t2', 'lap', 'adc'),
        'img_paths': paths,
        'grids': grids,
        'intensity': intensity,
        'centers_mm': {},
        'normalisation': {'t2': {'rule': 'none'}, 'adc': {'rule': 'none'}},
        'size_mm': 6.0,
    }
    return results | changes


def test_stored_voxels_and_what_is_missing(tmp_path):
    results = LoadROISequences()(make_results(tmp_path))
    img = results['img']
    assert (img.shape, img.dtype) == ((3, 1, 5, 12, 10), np.float32)
    assert results['available'].tolist() == [True, False, True]
    assert img[0, 0, 2, 3, 4] == img[2, 0, 2, 3, 4] == 2154
    assert not img[1].any()
    assert results['img_spacing'] == (4.0, 1.0, 2.0)


def test_voxels_are_cut_and_padded_about_the_middle(tmp_path):
    img = LoadROISequences(size=(3, 16, 4))(make_results(tmp_path))['img']
    # Middle voxel (2, 6, 5) to middle voxel (1, 8, 2).
    assert img[0, 0, 1, 8, 2] == 2305
    assert img[0, 0, 0, 2, 0] == 1000 + 3
    assert not img[0, 0, :, :2].any()
    assert not img[0, 0, :, 14:].any()


def test_a_grid_in_millimetres_about_the_lesion(tmp_path):
    # The lesion is said to be at index (2, 5, 4): x 8, y 5, z 8 mm.
    centers = {'t2': [8.0, 5.0, 8.0], 'adc': [8.0, 5.0, 8.0]}
    results = make_results(tmp_path, centers_mm=centers)
    loaded = LoadROISequences(size=(3, 8, 4), spacing=(2, 0.5, 1))(results)
    assert loaded['img_spacing'] == (2.0, 0.5, 1.0)
    middle = loaded['img'][0, 0, 1, 4, 2]
    assert middle == pytest.approx(2000 + 250 + 4)
    assert loaded['img'][0, 0, 2, 6, 2] == pytest.approx(middle + 500 + 50)
    # The same in diameters of 6 mm: 1 x 6, 2/3 x 6, 2/3 x 6 mm wide.
    field = LoadROISequences(size=(3, 8, 4), field=(1, 2 / 3, 2 / 3))(results)
    np.testing.assert_allclose(field['img'], loaded['img'], atol=1e-3)


def test_rules_by_sequence_with_a_default(tmp_path):
    normalize = {
        'adc': {'rule': 'window', 'low': 0, 'high': 4000},
        'default': {'rule': 'minmax'},
    }
    img = LoadROISequences(normalize=normalize)(make_results(tmp_path))['img']
    assert img[0].min() == 0
    assert img[0].max() == 1
    assert img[2, 0, 2, 0, 0] == pytest.approx(0.5)


def test_shapes_that_differ_need_a_size(tmp_path):
    results = make_results(tmp_path, {'t2': (5, 12, 10), 'adc': (3, 6, 6)})
    with pytest.raises(ValueError, match='expected one shape'):
        LoadROISequences()(results)
    assert LoadROISequences(size=(4, 8, 8))(results)['img'].shape == (3, 1, 4, 8, 8)


@pytest.mark.parametrize(
    'options', [{'size': (1, 2)}, {'spacing': (1, 1, 1)}, {'field': (1, 1, 1)},
                {'size': (2, 2, 2), 'field': (1, 1, 1), 'spacing': (1, 1, 1)}],
)  # fmt: skip
def test_options_that_make_no_sense(options):
    with pytest.raises(ValueError, match=r'expected|need a size|exclude'):
        LoadROISequences(**options)


def test_a_damaged_file_is_named(tmp_path):
    results = make_results(tmp_path)
    (tmp_path / 't2.npy').write_bytes(b'\x80\x04N.')
    with pytest.raises(ValueError, match=r't2\.npy'):
        LoadROISequences()(results)


def test_the_box_is_a_channel_or_a_slice(tmp_path):
    results = LoadROISequences()(make_results(tmp_path))
    channel = AddROIBox()(dict(results))['img']
    assert channel.shape == (3, 2, 5, 12, 10)
    # 6 mm: 1 slice of 4 mm, 2 x 3 rows of 1 mm, 2 x 1 columns of 2 mm.
    assert channel[0, 1].sum() == 1 * 6 * 2
    assert not channel[1].any()
    flat = AddROIBox('slice')(dict(results))['img']
    assert flat.shape == (3, 1, 6, 12, 10)
    assert flat[2, 0, 5].sum() == 6 * 2
    with pytest.raises(ValueError, match=r'expected \(S, 1, Z, Y, X\)'):
        AddROIBox()({**results, 'img': channel})


def test_slices_are_the_middle_ones_or_drawn(tmp_path, rng):
    results = LoadROISequences()(make_results(tmp_path))
    img = SelectROISlices(3)(dict(results))['img']
    np.testing.assert_array_equal(img, results['img'][:, :, 1:4])
    drawn = SelectROISlices(2, is_random=True)({**results, 'rng': rng})
    (record,) = drawn['applied']
    assert len(set(record['first'])) == 1
    first = record['first'][0]
    np.testing.assert_array_equal(drawn['img'], results['img'][:, :, first : first + 2])
    apart = SelectROISlices(2, is_random=True, is_joint=False)
    firsts = [apart({**results, 'rng': rng})['applied'][0]['first'] for _ in range(9)]
    assert any(len(set(row)) > 1 for row in firsts)
