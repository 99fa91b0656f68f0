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


def read_real_organ(sample_data, organ):
    """CT (Z, Y, X) of 3 mm in its stored type, and the mask of an organ."""
    folder = sample_data / 'abdomen' / 'totalsegmentator'
    labels = np.asarray(nibabel.load(folder / 'example_seg.nii.gz').dataobj)
    ct = np.asarray(nibabel.load(folder / 'example_ct.nii.gz').dataobj)
    # The file's labels belong to the last slices of the scan: only there has label 5
    # the intensity of liver.
    ct = np.ascontiguousarray(ct[:, :, -labels.shape[2] :].transpose(2, 1, 0))
    ids = {'liver': [5], 'pancreas': [7], 'kidney': [2, 3]}[organ]
    return ct, np.isin(labels.transpose(2, 1, 0), ids).astype(np.uint8)


def check_invariants(ct, mask, got):
    kept = mask == 0
    assert got.image.dtype == ct.dtype
    assert got.image[kept].tobytes() == ct[kept].tobytes()
    assert np.isfinite(got.image).all()
    np.testing.assert_array_equal(got.label > 0, mask > 0)
    assert set(np.unique(got.label)) <= {0, 1, 2}
    has_lesion = bool((got.label == 2).any())
    assert (got.outcome == 'ok') == has_lesion == bool(got.lesions)
    assert got.outcome in ('ok', 'no room')
    if not has_lesion:
        assert got.image.tobytes() == ct.tobytes()
        return
    assert sum(one.voxels for one in got.lesions) == (got.label == 2).sum()
    total = sum(one.voxels * one.delta_hu for one in got.lesions)
    change = (got.image.astype(float) - ct)[got.label == 2]
    # Whole numbers of HU are rounded to half of one.
    off = 0.05 if ct.dtype.kind == 'f' else 0.3
    assert change.mean() == pytest.approx(total / change.size, abs=off)


def run_real_seeds(sample_data, preset, organ, seeds):
    """How many of the volumes got lesions."""
    stored, mask = read_real_organ(sample_data, organ)
    found = 0
    for name in get_recipe(preset, organ).types:
        for seed in seeds:
            ct = stored.astype(np.int16 if seed % 4 == 3 else np.float32)
            before = ct.copy()
            got = synthesize(
                ct, mask, (3.0, 3.0, 3.0), seed, preset, organ=organ, lesion_type=name
            )
            assert ct.tobytes() == before.tobytes()
            check_invariants(ct, mask, got)
            found += got.outcome == 'ok'
    return found


@pytest.mark.data
@pytest.mark.parametrize('organ', ORGANS)
def test_real_ct(sample_data, organ):
    assert run_real_seeds(sample_data, 'full', organ, range(4)) > 0


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize('organ', ORGANS)
@pytest.mark.parametrize('preset', ['public', 'full'])
def test_two_hundred_seeds_in_a_real_ct(sample_data, preset, organ):
    found = run_real_seeds(sample_data, preset, organ, range(200))
    assert found >= (900 if organ == 'liver' else 300)
