import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.hooks.test_time_aug_hook import build_runner_with_tta
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder, SegTTAModel
from torch import nn

from mmmed.files import hash_file
from mmmed.io.png import write_image, write_label
from mmmed.models.segmentors import MedSegTTAModel
from mmmed.registry import MODELS
from mmmed.structures.manifest import Case, Manifest


@pytest.fixture
def image():
    """Unsymmetrical values around 0 on a 6 x 9 grid."""
    return torch.linspace(-4, 5, 54).view(1, 6, 9).roll(3, dims=2)


@pytest.fixture
def make_views(make_sample):
    """Plain and left-right flipped view of each image, as TestTimeAug collates."""

    def make(images, order=(False, True)):
        views = {'inputs': [], 'data_samples': []}
        for flip in order:
            direction = 'horizontal' if flip else None
            inputs = [img.flip(-1) if flip else img for img in images]
            samples = [
                make_sample(
                    tuple(img.shape[1:]),
                    case_id=f'case{i}',
                    img_path='.',
                    flip=flip,
                    flip_direction=direction,
                )
                for i, img in enumerate(images)
            ]
            for sample, img in zip(samples, inputs, strict=True):
                sample.gt_sem_seg = PixelData(data=(img > 1).long())
            views['inputs'].append(inputs)
            views['data_samples'].append(samples)
        return views

    return make


def without_normalisation(model):
    """The echo of raw values: collate, no scaling."""

    class Stack(BaseDataPreprocessor):
        def forward(self, data, training=False):
            return {**data, 'inputs': torch.stack(data['inputs'])}

    model.data_preprocessor = Stack()
    return model


@pytest.mark.parametrize('out_channels', [1, 2])
@pytest.mark.parametrize('order', [(False, True), (True, False), (False,)])
def test_views_of_an_echo_agree_with_the_plain_prediction(
    build_echo, make_views, image, out_channels, order
):
    module = without_normalisation(build_echo(out_channels=out_channels))
    images = [image, image.flip(1)]
    merged = MedSegTTAModel(module).test_step(make_views(images, order))
    for i, (img, sample) in enumerate(zip(images, merged, strict=True)):
        assert torch.equal(sample.pred_sem_seg.data, (img > 0).long())
        assert sample.case_id == f'case{i}'
        assert not sample.flip
        # Truth of the view that is not flipped.
        assert torch.equal(sample.gt_sem_seg.data, (img > 1).long())


def test_probabilities_are_averaged_not_logits(build_echo, make_sample):
    # Logits 8 and -1: probabilities 0.9997 and 0.2689, mean 0.634.
    module = build_echo({'keep_probabilities': True})
    views = [make_sample((1, 1)), make_sample((1, 1))]
    for view, logit in zip(views, (8.0, -1.0), strict=True):
        view.seg_logits = PixelData(data=torch.full((1, 1, 1), logit))
    (merged,) = MedSegTTAModel(module).merge_preds([views])
    expected = (torch.tensor(8.0).sigmoid() + torch.tensor(-1.0).sigmoid()) / 2
    torch.testing.assert_close(merged.seg_probs.data.squeeze(), expected)
    torch.testing.assert_close(merged.seg_logits.data.sigmoid().squeeze(), expected)
    assert merged.pred_sem_seg.data.item() == 1


def test_threshold_of_the_head_decides(build_echo, make_sample):
    view = make_sample((1, 2))
    view.seg_logits = PixelData(data=torch.tensor([[[-1.0, -0.1]]]))
    tta = MedSegTTAModel(build_echo(threshold=0.4))
    (merged,) = tta.merge_preds([[view]])
    assert merged.pred_sem_seg.data.flatten().tolist() == [0, 1]


def test_host_calls_everything_foreground(build_echo, make_views, image):
    """The fault this model exists for: the sigmoid of a sigmoid exceeds 0.5."""
    ours = without_normalisation(build_echo())
    host = copy.deepcopy(ours)
    host.__class__ = EncoderDecoder
    (theirs,) = SegTTAModel(host).test_step(make_views([image]))
    assert theirs.pred_sem_seg.data.float().mean() == 1
    (mine,) = MedSegTTAModel(ours).test_step(make_views([image]))
    assert torch.equal(mine.pred_sem_seg.data, (image > 0).long())


def test_all_views_flipped_is_refused(build_echo, make_views, image):
    tta = MedSegTTAModel(without_normalisation(build_echo()))
    with pytest.raises(ValueError, match='add a view without flip'):
        tta.test_step(make_views([image], order=(True, True)))


def test_module_that_stores_probabilities_is_refused(build_echo):
    host = build_echo()
    host.__class__ = EncoderDecoder
    with pytest.raises(ValueError, match=r'use mmmed\.MedEncoderDecoder'):
        MedSegTTAModel(host)


def test_distributed_wrapper_is_looked_through(build_echo, make_views, image):
    class Wrapper(nn.DataParallel):
        def test_step(self, data):
            return self.module.test_step(data)

    tta = MedSegTTAModel(Wrapper(without_normalisation(build_echo())))
    (sample,) = tta.test_step(make_views([image]))
    assert torch.equal(sample.pred_sem_seg.data, (image > 0).long())


def test_checkpoint_of_the_segmentor_is_loaded(build_unet, unet_config, tmp_path):
    # As the host's tools/test.py --tta does it: the model's dict becomes `module`.
    trained = build_unet()
    torch.save({'state_dict': trained.state_dict()}, tmp_path / 'iter_1.pth')
    tta = MODELS.build({'type': 'mmmed.MedSegTTAModel', 'module': unet_config})
    load_checkpoint(tta, str(tmp_path / 'iter_1.pth'), strict=True)
    for name, value in trained.state_dict().items():
        assert torch.equal(tta.module.state_dict()[name], value)


class Collect(Hook):
    def __init__(self):
        self.samples = []

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.samples.extend(outputs)


@pytest.fixture
def prepared(tmp_path, rng):
    """Two slices of 50 x 33 with a bright lesion left of the middle."""
    cases = []
    for number in range(2):
        names = [f'{kind}/val/001_{number}.png' for kind in ('images', 'masks')]
        mask = np.zeros((50, 33), np.uint8)
        mask[10 + 5 * number : 30, 4:14] = 1
        write_image(tmp_path / names[0], (mask * 140 + 60).astype(np.uint8))
        write_label(tmp_path / names[1], mask)
        hashes = [hash_file(tmp_path / name) for name in names]
        cases.append(
            Case(
                case_id=f'001_{number}',
                patient_id='001',
                slice_index=number,
                img_path=names[0],
                seg_map_path=names[1],
                split='val',
                fold=0,
                height=50,
                width=33,
                spacing=None,
                foreground_pixels=int(mask.sum()),
                positive=True,
                sha256=dict(zip(('img', 'seg'), hashes, strict=True)),
            )
        )
    metainfo = {
        'schema_version': 1,
        'dataset': 'cranium',
        'task': 'segmentation',
        'classes': ['background', 'hemorrhage'],
        'channels': 1,
        'num_folds': 2,
    }
    Manifest(metainfo, tuple(cases)).write(tmp_path / 'manifest.json')
    return tmp_path


def test_runner_with_the_documented_pipeline(prepared, unet_config, build_echo):
    init_default_scope('mmseg')
    model = build_echo({'size_divisor': 16})
    model.decode_head.conv_seg.bias.data.fill_(-0.5)  # 60/255 and 200/255 around 0.5
    pack = [{'type': 'mmmed.PackMedInputs'}]
    config = Config(
        {
            'default_scope': 'mmseg',
            'work_dir': str(prepared / 'work'),
            'model': unet_config,
            'tta_model': {'type': 'mmmed.MedSegTTAModel'},
            'tta_pipeline': [
                {
                    'type': 'TestTimeAug',
                    'transforms': [
                        [
                            {'type': 'mmmed.LoadSlice', 'size': s, 'resize_seg': False}
                            for s in ((50, 50), (71, 64))
                        ],
                        [
                            {'type': 'mmmed.RandomFlipSlice', 'prob': 0.0},
                            {'type': 'mmmed.RandomFlipSlice', 'prob': 1.0},
                        ],
                        pack,
                    ],
                }
            ],
            'test_dataloader': {
                'batch_size': 2,
                'num_workers': 0,
                'sampler': {'type': 'DefaultSampler', 'shuffle': False},
                'dataset': {
                    'type': 'mmmed.MedSegDataset',
                    'data_root': str(prepared),
                    'split': 'val',
                    'test_mode': True,
                    'pipeline': [{'type': 'mmmed.LoadSlice'}, *pack],
                },
            },
            'test_evaluator': {'type': 'IoUMetric', 'iou_metrics': ['mDice']},
            'test_cfg': {'type': 'TestLoop'},
        }
    )
    runner = build_runner_with_tta(config)
    runner.model = model  # an echo: what comes out is known
    collect = Collect()
    runner.register_hook(collect)
    metrics = runner.test()
    assert isinstance(runner.model, MedSegTTAModel)
    assert [sample.case_id for sample in collect.samples] == ['001_0', '001_1']
    for sample in collect.samples:
        assert sample.pred_sem_seg.data.shape == sample.gt_sem_seg.data.shape
        # Views of another size blur the border by a pixel, nothing more.
        wrong = sample.pred_sem_seg.data != sample.gt_sem_seg.data
        assert wrong.sum() <= 0.1 * sample.gt_sem_seg.data.sum()
    assert metrics['mDice'] > 95
