import numpy as np

from mmmed.synthesis import find_organ, find_vessels, measure_tissue


def test_a_tube_is_found_and_noise_is_not(rng):
    shape, spacing = (40, 50, 60), (2.0, 1.0, 1.0)
    image = (100 + 15 * rng.standard_normal(shape)).astype(np.float32)
    mask = np.ones(shape, np.uint8)
    mask[:, :4] = 0
    image[:, :4] = 500  # bone beside the organ must not shine in
    tube = (slice(18, 22), slice(20, 25))
    image[tube] += 80
    organ = find_organ(mask, spacing)
    vessels = find_vessels(image, organ, measure_tissue(image, organ))
    here = np.zeros(shape, bool)
    here[tube] = True
    here = here[organ.box]
    assert vessels[here].mean() > 0.95
    near = np.zeros(shape, bool)
    near[16:24, 17:28] = True
    assert vessels[~near[organ.box]].mean() < 0.005


def test_torch_images_give_the_same(rng):
    import torch

    image = (60 + 10 * rng.standard_normal((20, 24, 22))).astype(np.float32)
    image[8:12] += 60
    organ = find_organ(np.ones(image.shape, np.uint8), (1, 1, 1))
    tissue = measure_tissue(image, organ)
    one = find_vessels(image, organ, tissue)
    other = find_vessels(torch.from_numpy(image), organ, tissue)
    np.testing.assert_array_equal(one, other)
    assert one[9:11].all()
