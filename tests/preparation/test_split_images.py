import numpy as np
import pytest

from mmmed.io import write_image, write_volume
from mmmed.preparation.split_images import find_near, hash_pixels, take_fingerprint
from mmmed.structures import Volume


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (13, 21), dtype=np.uint8)


def test_a_re_encoded_picture_has_other_bytes_and_equal_pixels(tmp_path, image):
    write_image(tmp_path / 'a.png', image)
    write_image(tmp_path / 'rgb.png', np.stack([image] * 3, -1))
    write_image(tmp_path / 'deep.png', image.astype(np.uint16))
    prints = [take_fingerprint(path) for path in sorted(tmp_path.iterdir())]
    assert len({print_.sha256 for print_ in prints}) == 3
    assert len({print_.pixels for print_ in prints}) == 1
    write_image(tmp_path / 'other.png', np.roll(image, 1, axis=1))
    assert take_fingerprint(tmp_path / 'other.png').pixels != prints[0].pixels


def test_a_reoriented_compressed_converted_volume_has_equal_pixels(tmp_path, rng):
    array = rng.integers(-900, 900, (4, 5, 6)).astype(np.int16)
    volume = Volume(array, (3.0, 1.0, 0.5))
    turned = volume.reorient('LPI')
    write_volume(volume, tmp_path / 'a.nii')
    write_volume(volume, tmp_path / 'b.nii.gz')
    write_volume(turned, tmp_path / 'c.nii')
    floats = Volume(turned.array.astype(np.float32), turned.spacing, turned.affine)
    write_volume(floats, tmp_path / 'd.nii.gz')
    prints = [take_fingerprint(path) for path in sorted(tmp_path.iterdir())]
    assert len({print_.sha256 for print_ in prints}) == 4
    assert len({print_.pixels for print_ in prints}) == 1


def test_a_shape_or_a_value_makes_another_hash():
    array = np.arange(24)
    hashes = {hash_pixels(array.reshape(shape)) for shape in ((24,), (4, 6), (6, 4))}
    hashes |= {
        hash_pixels(array + 1),
        hash_pixels(array + 0.25),
        hash_pixels(array * 2**40),
    }
    assert len(hashes) == 6


@pytest.mark.parametrize('kind', [np.uint8, np.int16, np.float32, np.float64, '>i4'])
def test_the_data_type_does_not_count(kind):
    array = np.arange(24).reshape(4, 6)
    assert hash_pixels(array.astype(kind)) == hash_pixels(array)
    assert hash_pixels(np.asfortranarray(array)) == hash_pixels(array)


def test_minus_zero_is_zero():
    assert hash_pixels(np.array([0.5, -0.0])) == hash_pixels(np.array([0.5, 0.0]))


def test_one_value_tells_nothing(tmp_path):
    write_image(tmp_path / 'a.png', np.full((5, 7), 9, np.uint8))
    print_ = take_fingerprint(tmp_path / 'a.png', with_thumb=True)
    assert print_.is_constant
    assert (print_.pixels, print_.thumb, print_.problem) == (None, None, None)
    assert len(print_.sha256) == 64


def test_damage_is_told_and_bytes_still_compared(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'no picture')
    print_ = take_fingerprint(tmp_path / 'a.png')
    assert 'a.png' in print_.problem
    assert len(print_.sha256) == 64


def test_a_resized_copy_is_near_and_noise_is_not(tmp_path, rng):
    smooth = np.add.outer(np.arange(64) ** 1.5, 3 * np.arange(96)) % 251
    images = {
        'a': smooth.astype(np.uint8),
        'b': smooth.repeat(2, 0).repeat(2, 1).astype(np.uint8),
        'c': rng.integers(0, 256, (64, 96), dtype=np.uint8),
    }
    for name, array in images.items():
        write_image(tmp_path / f'{name}.png', array)
    thumbs = np.stack(
        [take_fingerprint(p, with_thumb=True).thumb for p in sorted(tmp_path.iterdir())]
    )
    assert thumbs.shape == (3, 32 * 32)
    np.testing.assert_allclose(np.linalg.norm(thumbs, axis=1), 1, rtol=1e-6)
    near = list(find_near(thumbs, np.array([0, 1, 1]), 0.98))
    assert [(a, b) for a, b, _ in near] == [(0, 1)]
    assert near[0][2] > 0.999
    assert not list(find_near(thumbs, np.array([0, 0, 1]), 0.98))


def test_an_image_smaller_than_its_small_copy(tmp_path, rng):
    write_image(tmp_path / 'a.png', rng.integers(0, 9, (3, 50), dtype=np.uint8))
    assert take_fingerprint(tmp_path / 'a.png', with_thumb=True).thumb.shape == (1024,)
