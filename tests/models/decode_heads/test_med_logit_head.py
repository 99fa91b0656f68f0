import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmmed.models.losses import SoftDiceLoss
from mmmed.registry import MODELS


def build_head(**settings):
    init_default_scope('mmseg')
    config = {
        'type': 'mmmed.MedLogitHead',
        'loss_decode': {'type': 'mmmed.SoftDiceLoss'},
    }
    return MODELS.build({**config, **settings})


@pytest.fixture
def batch(rng):
    """Logits and samples of two 4 x 6 label maps."""
    target = torch.from_numpy(rng.integers(0, 2, size=(2, 4, 6)))
    samples = [
        SegDataSample(
            gt_sem_seg=PixelData(data=labels[None]), metainfo={'img_shape': (4, 6)}
        )
        for labels in target
    ]
    logits = torch.from_numpy(rng.normal(size=(2, 1, 4, 6))).float()
    return logits, target, samples


def test_it_has_nothing_to_learn_and_nothing_to_store():
    head = build_head()
    head.init_weights()
    assert not list(head.parameters())
    assert not head.state_dict()
    assert (head.num_classes, head.out_channels, head.threshold) == (2, 1, 0.5)
    assert build_head(num_classes=3).out_channels == 3
    assert build_head(out_channels=2).out_channels == 2


def test_logits_pass_as_they_are(batch):
    logits, _, _ = batch
    head = build_head()
    assert head(logits) is logits
    assert head([torch.zeros(1), logits]) is logits
    assert build_head(in_index=0)((logits, None)) is logits


def test_losses_and_log_are_those_of_the_other_head(batch):
    logits, target, samples = batch
    config = {'in_channels': 1, 'channels': 1, 'num_convs': 0, 'concat_input': False}
    other = build_head(type='mmmed.MedFCNHead', num_classes=2, out_channels=1, **config)
    found = build_head().loss(logits, samples, {})
    assert set(found) == {'loss_dice', 'dice_train'}
    torch.testing.assert_close(found['loss_dice'], SoftDiceLoss()(logits, target))
    expected = other.loss_by_feat(logits, samples)
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name])


def test_prediction_keeps_the_grid(batch):
    logits, _, samples = batch
    metas = [sample.metainfo for sample in samples]
    torch.testing.assert_close(build_head().predict(logits, metas, {}), logits)


def test_threshold_is_checked():
    assert build_head(threshold=0.3).threshold == 0.3
    with pytest.raises(ValueError, match=r'threshold must lie in \(0, 1\)'):
        build_head(threshold=0.0)


def test_channels_must_agree(batch):
    logits, _, _ = batch
    with pytest.raises(ValueError, match='network gives 1 channels, expected 2'):
        build_head(out_channels=2)(logits)
    with pytest.raises(ValueError, match='out_channels should be equal'):
        build_head(num_classes=4, out_channels=2)
