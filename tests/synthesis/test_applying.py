import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmmed.synthesis import LesionRecord, apply_lesions, draw_lesions, get_recipe
from mmmed.synthesis.applying import apply_records, group_layers, share_voxels
from mmmed.synthesis.composition import build_layers

TYPES = ('tiny', 'small', 'medium', 'large', 'mix')


def draw(phantom, preset, lesion_type, seed=0):
    image, mask, spacing = phantom
    rng = np.random.default_rng(seed)
    recipe = get_recipe(preset)
    return draw_lesions(
        mask, spacing, recipe, rng, image=image, lesion_type=lesion_type
    )


@pytest.mark.parametrize(
    ('preset', 'lesion_type'), list(itertools.product(('public', 'full'), TYPES))
)
def test_mean_of_the_label_is_the_drawn_contrast(organ_phantom, preset, lesion_type):
    image, mask, spacing = organ_phantom
    for lesion in draw(organ_phantom, preset, lesion_type):
        out, label = apply_lesions(image, mask, [lesion], spacing)
        change = (out - image)[label == 2]
        if change.size:
            assert change.mean() == pytest.approx(lesion.delta_hu, abs=0.01)


@pytest.mark.parametrize('lesion_type', TYPES)
def test_contrast_is_exact_where_lesions_merge(organ_phantom, lesion_type):
    image, mask, spacing = organ_phantom
    lesions = draw(organ_phantom, 'public', lesion_type)
    out, label = apply_lesions(image, mask, lesions, spacing)
    change = (out - image)[label == 2]
    assert change.mean() == pytest.approx(lesions[0].delta_hu, abs=0.01)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    preset=st.sampled_from(['public', 'full']),
    lesion_type=st.sampled_from(TYPES),
    dtype=st.sampled_from(['float32', 'float64', 'int16']),
)
def test_invariants(organ_phantom, seed, preset, lesion_type, dtype):
    image, mask, spacing = organ_phantom
    image = image.astype(dtype)
    image[0, 0, :2] = [-0.0, 0.0]
    lesions = draw((image, mask, spacing), preset, lesion_type, seed)
    kept, kept_mask = image.copy(), mask.copy()
    out, label, voxels = apply_records(image, mask, lesions, spacing)
    assert out.dtype == image.dtype
    assert label.dtype == np.uint8
    outside = mask == 0
    assert out[outside].tobytes() == image[outside].tobytes()
    assert set(np.unique(label)) <= {0, 1, 2}
    np.testing.assert_array_equal(label > 0, mask > 0)
    assert sum(voxels) == (label == 2).sum()
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_array_equal(mask, kept_mask)
    for lesion, count in zip(lesions, voxels, strict=True):
        alone, one = apply_lesions(image, mask, [lesion], spacing)
        assert (alone != image).any() == (one == 2).any()
        assert count <= (one == 2).sum()


def test_far_lesions_do_not_change_each_other(organ_phantom):
    image, mask, spacing = organ_phantom
    lesions = [
        LesionRecord('tiny', (40.0, 48.0, x), (r, 3.0, 4.0), texture_deviation=0.1)
        for x, r in ((22.0, 3.0), (45.0, 5.0), (68.0, 4.0))
    ]
    out, _, voxels = apply_records(image, mask, lesions, spacing)
    for lesion, count in zip(lesions, voxels, strict=True):
        alone, one = apply_lesions(image, mask, [lesion], spacing)
        assert count == (one == 2).sum() > 0
        image = np.where(alone != image, alone, image)
    assert out.tobytes() == image.tobytes()


@pytest.mark.filterwarnings('error')
def test_masks_of_any_kind_give_the_same(organ_phantom):
    image, mask, spacing = organ_phantom
    lesions = draw(organ_phantom, 'public', 'small')
    expected = apply_lesions(image, mask, lesions, spacing)
    frozen = mask.copy()
    frozen.setflags(write=False)
    turned = np.ascontiguousarray(mask[::-1])[::-1]
    for other in (frozen, turned, mask == 1, mask.astype(np.int64)):
        got = apply_lesions(image, other, lesions, spacing)
        np.testing.assert_array_equal(got[0], expected[0])
        np.testing.assert_array_equal(got[1], expected[1])
    for other in (torch.from_numpy(mask), torch.from_numpy(mask) == 1):
        got = apply_lesions(torch.from_numpy(image), other, lesions, spacing)
        assert torch.equal(got[0], torch.from_numpy(expected[0]))
        assert torch.equal(got[1], torch.from_numpy(expected[1]))


@pytest.mark.parametrize('preset', ['public', 'full'])
def test_a_record_replays_bit_for_bit_for_any_threads(organ_phantom, preset):
    image, mask, spacing = organ_phantom
    lesions = draw(organ_phantom, preset, 'mix')
    again = [LesionRecord.from_json(one.to_json()) for one in lesions]
    before = torch.get_num_threads()
    results = []
    try:
        for threads, records in ((1, lesions), (2, again), (4, again)):
            torch.set_num_threads(threads)
            results.append(apply_lesions(image, mask, records, spacing)[0].tobytes())
    finally:
        torch.set_num_threads(before)
    assert len(set(results)) == 1


def test_torch_and_numpy_give_the_same(organ_phantom):
    image, mask, spacing = organ_phantom
    lesions = draw(organ_phantom, 'full', 'small')
    out, label = apply_lesions(image, mask, lesions, spacing)
    tensor, label_tensor = apply_lesions(
        torch.from_numpy(image), torch.from_numpy(mask), lesions, spacing
    )
    assert torch.equal(tensor, torch.from_numpy(out))
    assert torch.equal(label_tensor, torch.from_numpy(label))
    weight = torch.ones((), requires_grad=True)
    (tensor * weight).sum().backward()  # tensors like any other


def test_in_place_writes_into_the_image(organ_phantom):
    image, mask, spacing = organ_phantom
    lesions = draw(organ_phantom, 'full', 'mix')
    expected, _ = apply_lesions(image, mask, lesions, spacing)
    mine = image.copy()
    out, _ = apply_lesions(mine, mask, lesions, spacing, in_place=True)
    assert out is mine
    np.testing.assert_array_equal(mine, expected)


def test_a_patch_shows_its_part_of_the_lesions(organ_phantom):
    image, mask, spacing = organ_phantom
    lesions = draw(organ_phantom, 'public', 'medium')
    _, label = apply_lesions(image, mask, lesions, spacing)
    box = (slice(8, 30), slice(20, 70), slice(5, 50))
    out, part = apply_lesions(
        image[box], mask[box], lesions, spacing, origin=(8, 20, 5)
    )
    np.testing.assert_array_equal(part, label[box])
    assert out.shape == image[box].shape


def test_real_tumor_and_ignored_voxels_are_not_touched(organ_phantom):
    image, mask, spacing = organ_phantom
    lesions = draw(organ_phantom, 'public', 'mix')
    mixed = mask.copy()
    mixed[15:22, 30:60, 20:40] *= 2
    mixed[25:, :, :20][mask[25:, :, :20] == 1] = 255
    out, label = apply_lesions(image, mixed, lesions, spacing)
    held = mixed > 1
    np.testing.assert_array_equal(out[held], image[held])
    np.testing.assert_array_equal(label[held], mixed[held])


def test_a_lesion_between_voxels_changes_nothing(organ_phantom):
    image, mask, spacing = organ_phantom
    lesion = LesionRecord('tiny', (41.0, 48.5, 45.7), (0.2, 0.2, 0.2))
    out, label, voxels = apply_records(image, mask, [lesion], spacing)
    assert voxels == [0]
    assert out.tobytes() == image.tobytes()
    np.testing.assert_array_equal(label, mask)


def test_a_voxel_that_is_not_finite_stays_alone(organ_phantom):
    image, mask, spacing = organ_phantom
    image = image.copy()
    image[20, 48, 30] = np.nan
    lesion = LesionRecord(
        'small', (40.0, 48.0, 45.0), (9.0,) * 3, composition='replace', tissue_hu=110.0
    )
    out, _ = apply_lesions(image, mask, [lesion], spacing)
    assert np.isnan(out).sum() == 1
    assert out[20, 48, 32] < 90


def test_voxels_are_shared_by_weight(organ_phantom):
    _, mask, spacing = organ_phantom
    organ = torch.from_numpy(mask == 1)
    lesions = [
        LesionRecord('small', (40.0, 40.0 + 8 * i, 45.0), (7.0,) * 3) for i in range(3)
    ]
    layers = build_layers(lesions, organ, spacing, (0, 0, 0))
    assert group_layers([*layers, None]) == [[0, 1, 2]]
    union = np.zeros(mask.shape, bool)
    for layer in layers:
        union[layer.box] |= layer.label.numpy()
    share_voxels(layers)
    count = np.zeros(mask.shape, int)
    for layer in layers:
        count[layer.box] += (layer.weight > 0).numpy()
    assert count.max() == 1
    assert sum(int(layer.label.sum()) for layer in layers) == union.sum()


def test_wrong_arrays_are_refused(organ_phantom):
    image, mask, spacing = organ_phantom
    with pytest.raises(ValueError, match='expected the same'):
        apply_lesions(image, mask[1:], [], spacing)
    with pytest.raises(ValueError, match='uint8'):
        apply_lesions(mask, mask, [], spacing)
    with pytest.raises(ValueError, match='spacing'):
        apply_lesions(image, mask, [], (0, 1, 1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
@pytest.mark.parametrize('preset', ['public', 'full'])
def test_the_gpu_agrees(organ_phantom, preset):
    image, mask, spacing = organ_phantom
    lesions = draw(organ_phantom, preset, 'mix')
    out, label = apply_lesions(image, mask, lesions, spacing)
    device = torch.device('cuda')
    on_gpu, label_gpu = apply_lesions(
        torch.from_numpy(image).to(device),
        torch.from_numpy(mask).to(device),
        lesions,
        spacing,
    )
    assert (label_gpu.cpu().numpy() != label).mean() < 1e-5
    assert np.abs(on_gpu.cpu().numpy() - out).mean() < 1e-3
    lesion = replace(lesions[0], voxels=None)
    assert lesion == lesions[0]
