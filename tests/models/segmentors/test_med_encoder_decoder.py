import pytest
import torch
from torch import nn

from mmmed.registry import MODELS

SLIDE = {'mode': 'slide', 'crop_size': (16, 12), 'stride': (10, 7), 'window_batch': 3}


@pytest.fixture
def ramp(rng):
    """Two smooth, unsymmetrical images of 37 x 29 with values around 0."""
    y = torch.linspace(-3, 2, 37).view(1, 1, 37, 1)
    x = torch.linspace(-1, 2, 29).view(1, 1, 1, 29)
    return torch.cat([y + x, y - 2 * x])


def predict(model, inputs, samples=None):
    with torch.no_grad():
        return model(inputs, samples, mode='predict')


@pytest.mark.parametrize('out_channels', [1, 2])
@pytest.mark.parametrize('window_weight', ['gaussian', 'constant'])
def test_slide_equals_whole_for_an_identity(
    build_echo, ramp, out_channels, window_weight
):
    whole = build_echo(out_channels=out_channels).inference(ramp, [{}, {}])
    slide = build_echo({**SLIDE, 'window_weight': window_weight}, out_channels)
    result = slide.inference(ramp, [{}, {}])
    assert result.shape == (2, out_channels, 37, 29)
    torch.testing.assert_close(result, whole, rtol=1e-6, atol=1e-6)


def test_image_smaller_than_the_window_is_padded(build_echo, ramp):
    model = build_echo({**SLIDE, 'crop_size': (64, 16), 'stride': None})
    assert model.test_cfg.stride == (32, 8)
    torch.testing.assert_close(model.inference(ramp, [{}, {}]), ramp)


def test_windows_come_in_bounded_batches_with_their_own_metadata(build_echo, ramp):
    model = build_echo(SLIDE)
    calls = []
    decode = model.decode_head.predict

    def record(feats, metas, test_cfg):
        calls.append((feats[0].shape, metas))
        return decode(feats, metas, test_cfg)

    model.decode_head.predict = record
    model.inference(ramp, [{'case_id': 'a'}, {'case_id': 'b'}])
    assert max(shape[0] for shape, _ in calls) == 3
    assert {shape[2:] for shape, _ in calls} == {(16, 12)}
    metas = [meta for _, batch in calls for meta in batch]
    # 37 rows: 1 + ceil(21 / 10) windows; 29 columns: 1 + ceil(17 / 7).
    assert [meta['case_id'] for meta in metas] == ['a'] * 16 + ['b'] * 16
    assert all(meta['img_shape'] == (16, 12) for meta in metas)


@pytest.mark.parametrize('shape', [(16, 32), (33, 17), (50, 49)])
def test_any_size_goes_through_the_unet(build_unet, make_sample, shape):
    model = build_unet({'size_divisor': 16})
    samples = [make_sample(shape) for _ in range(2)]
    for sample in predict(model, torch.randn(2, 1, *shape), samples):
        assert sample.pred_sem_seg.data.shape == (1, *shape)
        assert sample.seg_logits.data.shape == (1, *shape)


def test_padding_to_the_divisor_is_air_and_is_cut(build_echo):
    model = build_echo({'size_divisor': 16})
    seen = []
    model.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    inputs = torch.ones(1, 1, 20, 32)
    assert torch.equal(model.inference(inputs, [{}]), inputs)
    assert seen[0].shape == (1, 1, 32, 32)
    assert (seen[0][:, :, 20:] == 0).all()


def test_stale_sizes_in_the_metadata_do_not_matter(build_echo, ramp, make_sample):
    stale = [make_sample((37, 29), pad_shape=(64, 64)) for _ in range(2)]
    stale[0].set_metainfo({'img_shape': (99, 99)})
    for image, sample in zip(ramp, predict(build_echo(), ramp, stale), strict=True):
        assert torch.equal(sample.seg_logits.data, image)


@pytest.mark.parametrize(
    ('direction', 'axes'),
    [('horizontal', (-1,)), ('vertical', (-2,)), ('diagonal', (-2, -1))],
)
def test_margins_are_cut_then_flips_undone(
    build_echo, ramp, make_sample, direction, axes
):
    # The margins are those of the image as it was fed: flip first, then pad.
    left, right, top, bottom = 1, 4, 0, 7
    fed = nn.functional.pad(ramp.flip(axes), (left, right, top, bottom), value=-9.0)
    meta = {'img_padding_size': (left, right, top, bottom), 'flip': True}
    samples = [
        make_sample((37, 29), flip_direction=direction, **meta) for _ in range(2)
    ]
    for image, sample in zip(ramp, predict(build_echo(), fed, samples), strict=True):
        assert torch.equal(sample.seg_logits.data, image)
        assert torch.equal(sample.pred_sem_seg.data, (image > 0).long())


@pytest.mark.parametrize('align_corners', [False, True])
def test_each_image_returns_to_its_own_size(
    build_echo, ramp, make_sample, align_corners
):
    model = build_echo(align_corners=align_corners)
    sizes = [(74, 58), (20, 31)]
    samples = predict(model, ramp, [make_sample(size) for size in sizes])
    for image, size, sample in zip(ramp, sizes, samples, strict=True):
        expected = nn.functional.interpolate(
            image[None], size, mode='bilinear', align_corners=align_corners
        )[0]
        torch.testing.assert_close(sample.seg_logits.data, expected)
        assert sample.pred_sem_seg.data.shape == (1, *size)


def test_one_channel_keeps_logits_and_uses_the_threshold(build_echo, make_sample):
    inputs = torch.tensor([-1.0, -0.1, 0.1, 2.0]).view(1, 1, 2, 2)
    (sample,) = predict(build_echo(), inputs, [make_sample((2, 2))])
    assert torch.equal(sample.seg_logits.data, inputs[0])
    assert sample.pred_sem_seg.data.flatten().tolist() == [0, 0, 1, 1]
    assert sample.pred_sem_seg.data.dtype == torch.int64
    assert 'seg_probs' not in sample
    # sigmoid(-1) = 0.269, sigmoid(-0.1) = 0.475
    (sample,) = predict(build_echo(threshold=0.4), inputs)
    assert sample.pred_sem_seg.data.flatten().tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize('out_channels', [1, 2])
def test_probabilities_are_kept_on_request(build_echo, ramp, out_channels):
    model = build_echo({'keep_probabilities': True}, out_channels)
    sample = predict(model, ramp)[0]
    prob = sample.seg_probs.data
    assert prob.shape == (out_channels, 37, 29)
    # (-x, x): softmax of the second is sigmoid(2 x)
    torch.testing.assert_close(prob[-1], (out_channels * ramp[0, 0]).sigmoid())
    assert torch.equal(sample.pred_sem_seg.data, (ramp[0] > 0).long())


def test_mixed_precision_ends_in_single(build_unet, make_sample):
    model = build_unet({'size_divisor': 16})
    with torch.autocast('cpu', dtype=torch.bfloat16):
        (sample,) = predict(model, torch.randn(1, 1, 32, 32), [make_sample((32, 32))])
    assert sample.seg_logits.data.dtype == torch.float32


@pytest.mark.parametrize(
    ('test_cfg', 'message'),
    [
        ({'mode': 'tile'}, "'whole' or 'slide'"),
        ({'mode': 'slide'}, 'needs crop_size'),
        ({**SLIDE, 'strides': (1, 1)}, r"got \['strides'\]"),
        ({**SLIDE, 'stride': (17, 1)}, 'leave gaps'),
        ({**SLIDE, 'window_weight': 'hann'}, 'window_weight must be'),
        ({**SLIDE, 'window_batch': 0}, 'window_batch must be'),
        ({'size_divisor': 0}, 'size_divisor and'),
    ],
)
def test_impossible_test_settings_are_refused(build_unet, test_cfg, message):
    with pytest.raises(ValueError, match=message):
        build_unet(test_cfg)


def test_second_place_that_pads_is_refused(unet_config):
    config = {**unet_config}
    config['data_preprocessor'] = {
        **unet_config.data_preprocessor,
        'test_cfg': {'size_divisor': 16},
    }
    with pytest.raises(ValueError, match=r'set model\.test_cfg\.size_divisor'):
        MODELS.build(config)


def test_flip_without_direction_is_refused(build_echo, ramp, make_sample):
    with pytest.raises(ValueError, match='keep both keys'):
        predict(build_echo(), ramp, [make_sample((37, 29), flip=True)] * 2)
