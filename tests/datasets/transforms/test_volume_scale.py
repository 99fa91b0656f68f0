"""Windows and z-scores of volumes, of a patch as of the whole."""

import numpy as np
import pytest

from mmmed.datasets import (
    LoadVolume,
    LoadVolumePatch,
    NormalizeVolume,
    VolumeDataset,
    WindowVolume,
)


def test_a_window_maps_its_ends_to_0_and_1():
    img = np.array([-500.0, -21, 84, 189, 900], np.float32).reshape(1, 1, 1, 5)
    result = WindowVolume(-21, 189)({'img': img})['img']
    np.testing.assert_allclose(result.ravel(), [0, 0, 0.5, 1, 1])
    with pytest.raises(ValueError, match='low < high'):
        WindowVolume(1, 1)


def test_beyond_the_image_stays_zero():
    img = np.full((1, 3, 3, 3), 5.0, np.float32)
    sample = {'img': img, 'inside': ((0, 2), (0, 3), (1, 3))}
    result = WindowVolume(-5, 15)(sample)['img']
    assert result.sum() == pytest.approx(0.5 * 2 * 3 * 2)


@pytest.mark.parametrize('over', ['all', 'nonzero'])
def test_a_patch_has_the_z_scores_of_its_volume(make_volumes, read_subject, over):
    item = VolumeDataset(str(make_volumes()), split='train').get_data_info(0)
    item['rng'] = np.random.default_rng(0)
    img = read_subject('sub-r001s001')[0].astype(float)
    values = img if over == 'all' else img[img != 0]
    expected = (img - values.mean()) / values.std()
    whole = NormalizeVolume(over)(LoadVolume()(dict(item)))
    np.testing.assert_allclose(whole['img'][0], expected, atol=1e-5)
    patch = NormalizeVolume(over)(LoadVolumePatch((8, 3, 3))(dict(item)))
    center = patch['applied'][0]['center']
    y, x = (int(c - 1) for c in center[1:])
    np.testing.assert_allclose(
        patch['img'][0, 1:7], expected[:, y : y + 3, x : x + 3], atol=1e-5
    )
    assert not patch['img'][0, [0, 7]].any()


def test_a_volume_without_contrast_is_refused(make_volumes, tmp_path):
    np.save(tmp_path / 'flat.npy', np.full((2, 3, 4), 9, np.uint8))
    sample = {
        'img': np.full((1, 2, 3, 4), 9, np.float32),
        'img_paths': (str(tmp_path / 'flat.npy'),),
        'volume_shape': (2, 3, 4),
    }
    with pytest.raises(ValueError, match='all voxels are alike'):
        NormalizeVolume()(sample)
