import nibabel
import numpy as np
import pytest

from mmmed.synthesis import ORGANS, get_recipe, synthesize


def test_synthesis_reports_what_it_did(organ_phantom):
    image, mask, spacing = organ_phantom
    got = synthesize(image, mask, spacing, 3, lesion_type='small')
    assert got.outcome == 'ok'
    assert got.lesion_type == 'small'
    assert len(got.lesions) == got.requested
    assert sum(one.voxels for one in got.lesions) == (got.label == 2).sum()
    assert got.lesions[0].volume_mm3 == pytest.approx(3 * got.lesions[0].voxels)
    same = synthesize(image, mask, spacing, 3, lesion_type='small')
    assert same.image.tobytes() == got.image.tobytes()
    assert same.lesions == got.lesions


def test_an_empty_organ_comes_back_as_it_was(organ_phantom):
    image, mask, spacing = organ_phantom
    got = synthesize(image, 0 * mask, spacing, 0, 'full')
    assert got.outcome == 'no organ'
    assert got.lesions == ()
    assert got.image.tobytes() == image.tobytes()
    assert got.image is not image


@pytest.mark.parametrize('preset', ['public', 'full'])
def test_a_patch_is_worked_on_alone(organ_phantom, preset):
    image, mask, spacing = organ_phantom
    box = (slice(6, 34), slice(10, 80), slice(0, 45))
    got = synthesize(image, mask, spacing, 1, preset, lesion_type='tiny', box=box)
    assert got.image.shape == image[box].shape
    for lesion in got.lesions:
        voxel = np.divide(lesion.center_mm, spacing)
        assert all(p.start <= v < p.stop for v, p in zip(voxel, box, strict=True))
    with pytest.raises(ValueError, match='step 1'):
        synthesize(image, mask, spacing, 1, box=(slice(4, 2), slice(3), slice(3)))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize('organ', ORGANS)
@pytest.mark.parametrize('preset', ['public', 'full'])
def test_real_ct(sample_data, preset, organ):
    folder = sample_data / 'abdomen' / 'totalsegmentator'
    labels = np.asarray(nibabel.load(folder / 'example_seg.nii.gz').dataobj)
    ct = np.asarray(nibabel.load(folder / 'example_ct.nii.gz').dataobj)
    # The file's labels belong to the last slices of the scan: only there has label 5
    # the intensity of liver.
    ct = ct[:, :, -labels.shape[2] :].astype(np.float32).transpose(2, 1, 0)
    ids = {'liver': [5], 'pancreas': [7], 'kidney': [2, 3]}[organ]
    mask = np.isin(labels.transpose(2, 1, 0), ids).astype(np.uint8)
    spacing = (3.0, 3.0, 3.0)
    found = 0
    for name in get_recipe(preset, organ).types:
        for seed in range(20):
            got = synthesize(
                ct, mask, spacing, seed, preset, organ=organ, lesion_type=name
            )
            np.testing.assert_array_equal(got.image[mask == 0], ct[mask == 0])
            np.testing.assert_array_equal(got.label > 0, mask > 0)
            assert (got.outcome == 'ok') == bool((got.label == 2).any())
            found += got.outcome == 'ok'
            if got.lesions:
                total = sum(one.voxels * one.delta_hu for one in got.lesions)
                change = (got.image - ct)[got.label == 2]
                assert change.mean() == pytest.approx(total / change.size, abs=0.05)
    assert found >= (90 if organ == 'liver' else 30)
