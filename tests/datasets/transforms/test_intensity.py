import numpy as np
import pytest

from mmmed.datasets.transforms.intensity import RandomIntensity, build_table

STILL = {'gain': 1.0, 'offset': 0.0, 'gamma': 1.0, 'noise_std': 0.0, 'noise_at': 0}


def test_still_parameters_change_nothing(make_sample):
    sample = make_sample(channels=2)
    out = RandomIntensity().apply(dict(sample), STILL)
    assert np.array_equal(out['img'], sample['img'])


@pytest.mark.parametrize(
    ('params', 'level', 'expected'),
    [
        # 1.2 * (100 - 127.5) + 127.5 + 25.5 = 120
        ((1.2, 0.1, 1.0), 100, 120),
        # 255 * 0.2**2 = 10.2
        ((1.0, 0.0, 2.0), 51, 10),
        # 2 * (204 - 127.5) + 127.5 = 280.5, beyond white
        ((2.0, 0.0, 1.0), 204, 255),
        ((2.0, 0.0, 1.0), 40, 0),
        # A quarter of the way from 0 to the value at level 16: (16 + 51) / 4
        ((1.0, 0.2, 1.0), 4, 17),
        # Half of the way from the value at 239, 239 - 51 = 188, to 255
        ((1.0, -0.2, 1.0), 247, 222),
    ],
)
def test_grey_levels_by_hand(params, level, expected):
    assert build_table(*params)[level] == expected


@pytest.mark.parametrize('gain', [0.3, 1.0, 3.0])
@pytest.mark.parametrize('offset', [-0.5, 0.0, 0.5])
@pytest.mark.parametrize('gamma', [0.5, 2.0])
def test_air_stays_black_bone_white_and_order_is_kept(gain, offset, gamma):
    table = build_table(gain, offset, gamma).astype(int)
    assert (table[0], table[255]) == (0, 255)
    assert (np.diff(table) >= 0).all()


def apply_noise(img, std, at=5):
    params = STILL | {'noise_std': std, 'noise_at': at}
    return RandomIntensity().apply({'img': img}, params)['img'].astype(int)


@pytest.mark.parametrize('std', [1.0, 4.0, 20.0])
@pytest.mark.parametrize('shape', [(400, 300, 1), (200, 300, 2), (1500, 40, 1)])
def test_noise_is_gaussian_of_the_stated_width(shape, std):
    noise = apply_noise(np.full(shape, 120, np.uint8), std) - 120
    # 60 000 samples: standard errors 0.4 % of the mean's unit and 0.3 % of the width;
    # rounding to whole grey levels adds a variance of 1/12.
    assert noise.mean() == pytest.approx(0, abs=0.02 * std)
    assert noise.std() == pytest.approx(np.sqrt(std**2 + 1 / 12), rel=0.02)
    inside = (np.abs(noise) <= std).mean()
    assert inside == pytest.approx(0.683, abs=0.3 / std if std < 20 else 0.02)
    # Neighbours are independent, also across the seam of a tall image.
    flat = noise[..., 0]
    rows = np.corrcoef(flat[:-1].ravel(), flat[1:].ravel())[0, 1]
    columns = np.corrcoef(flat[:, :-1].ravel(), flat[:, 1:].ravel())[0, 1]
    assert max(abs(rows), abs(columns)) < 0.02


def test_noise_depends_on_its_place():
    img = np.full((50, 40, 1), 120, np.uint8)
    first, second = apply_noise(img, 5, at=5), apply_noise(img, 5, at=45)
    assert np.array_equal(first[1:], second[:-1])
    assert not np.array_equal(first, second)


def test_noise_leaves_air_and_bone_alone():
    img = np.zeros((60, 40, 1), np.uint8)
    img[20:40], img[40:] = 120, 255
    noisy = apply_noise(img, 10)
    assert not noisy[:20].any()
    assert (noisy[40:] == 255).all()
    assert noisy[20:40].std() > 5


def test_channels_share_the_mapping_but_not_the_noise():
    img = np.full((30, 20, 2), 120, np.uint8)
    params = STILL | {'gain': 1.5, 'offset': 0.1}
    mapped = RandomIntensity().apply({'img': img}, params)['img']
    assert np.array_equal(mapped[..., 0], mapped[..., 1])
    noisy = apply_noise(img, 5)
    assert not np.array_equal(noisy[..., 0], noisy[..., 1])


def test_draws_within_its_ranges():
    transform = RandomIntensity((0.5, 2), (-0.1, 0.3), (0.8, 1.25), (1, 5))
    rng = np.random.default_rng(0)
    drawn = [transform.draw({}, rng) for _ in range(4000)]
    for name, low, high in (
        ('gain', 0.5, 2),
        ('offset', -0.1, 0.3),
        ('gamma', 0.8, 1.25),
        ('noise_std', 1, 5),
    ):
        values = [d[name] for d in drawn]
        assert (min(values), max(values)) == pytest.approx((low, high), abs=0.01)
    assert np.median([d['gain'] for d in drawn]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    'options',
    [
        {'gain': (0, 1)},
        {'gain': (2, 1)},
        {'offset': (-2, 0)},
        {'gamma': (1,)},
        {'noise_std': (0, 40)},
    ],
)
def test_refuses(options):
    with pytest.raises(ValueError, match='expected'):
        RandomIntensity(**options)


def test_refuses_other_types(make_sample):
    sample = make_sample() | {'img': np.zeros((4, 3, 1), np.float32)}
    with pytest.raises(ValueError, match='img is float32, expected 8-bit'):
        RandomIntensity()(sample)
