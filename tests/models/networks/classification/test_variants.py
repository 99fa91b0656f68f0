"""The published widths: measured parameter counts of all 39 networks."""

import pytest
import torch

from mmmed.models.networks.classification.variants import RESNET, find_variant
from mmmed.registry import MODELS

# Two dimensions, six channels (five slices and a mask), one head of two classes.
COUNTS = {
    'ROIVGG': {
        '1.1': (5_802, 8),
        '1.2': (4_774, 4),
        '1.3': (13_818, 8),
        '1.4': (9_162, 8),
        '1.5': (15_874, 16),
        '1.6': (25_186, 16),
        '1.7': (34_498, 16),
        '1.8': (150_210, 32),
        '1.9': (48_450, 32),
        '11': (9_228_738, 512),
        '13': (9_413_634, 512),
        '16': (14_725_890, 512),
        '19': (20_038_146, 512),
    },
    'ROIResNet': {
        '1.1': (46_770, 32),
        '1.2': (87_570, 32),
        '1.3': (213_378, 64),
        '1.4': (403_394, 64),
        '1.5': (2_785_186, 512),
        '18': (11_171_586, 512),
        '34': (21_279_746, 512),
        '50': (23_506_178, 2048),
    },
    'ROIDenseNet': {
        '1.1': (13_850, 36),
        '1.2': (22_898, 46),
        '1.3': (86_834, 92),
        '1.4': (156_378, 130),
        '1.5': (260_146, 184),
        'cifar': (998_186, 384),
        '121': (6_949_826, 1024),
        '169': (12_481_730, 1664),
        '201': (18_090_690, 1920),
        '161': (26_467_298, 2208),
    },
    'ROIShuffleNetV2': {
        '1.1': (9_002, 64),
        '1.2': (12_186, 64),
        '1.3': (62_154, 128),
        '1.4': (102_154, 256),
        '0.5': (344_490, 1024),
        '1': (1_256_302, 1024),
        '1.5': (2_481_322, 1024),
        '2': (5_322_282, 2048),
    },
}
ROWS = [
    (kind, name, count, width)
    for kind, rows in COUNTS.items()
    for name, (count, width) in rows.items()
]


def count(kind, **settings):
    # Without memory or random numbers: only shapes.
    with torch.device('meta'):
        network = MODELS.build({'type': f'mmmed.{kind}', 'dims': 2, **settings})
    return sum(p.numel() for p in network.parameters()), network.out_channels


def test_all_39_networks_are_there():
    assert len(ROWS) == 39


@pytest.mark.parametrize(('kind', 'variant', 'expected', 'width'), ROWS)
def test_published_numbers_of_parameters(kind, variant, expected, width):
    parameters, features = count(kind, in_channels=6, variant=variant)
    assert features == width
    assert parameters + 2 * (width + 1) == expected


@pytest.mark.parametrize(
    ('kind', 'variant', 'more'),
    [
        ('ROIVGG', '1.1', 432),
        ('ROIResNet', '1.1', 432),
        ('ROIResNet', '18', 3_456),
        ('ROIShuffleNetV2', '1.2', 1_296),
        ('ROIShuffleNetV2', '2', 1_296),
        # Nine weights, six channels, a stem of twice the growth.
        ('ROIDenseNet', '1.1', 9 * 6 * 8),
    ],
)
def test_a_further_sequence_widens_only_the_first_convolution(kind, variant, more):
    one, _ = count(kind, in_channels=6, variant=variant)
    three, _ = count(kind, in_channels=18, variant=variant)
    assert three - one == 2 * more


def test_a_number_names_a_variant():
    """--cfg-options reads variant=1.1 as a number."""
    assert find_variant('ResNet', RESNET, 1.1) is RESNET['1.1']
    assert find_variant('ResNet', RESNET, 18) is RESNET['18']


@pytest.mark.parametrize('kind', COUNTS)
def test_unknown_variants_are_answered_with_the_known(kind):
    known = ', '.join(COUNTS[kind])
    with pytest.raises(ValueError, match=f"{kind} has no variant '7'; it has {known}"):
        count(kind, in_channels=6, variant='7')
