import numpy as np
import pytest
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from torch import nn

from mmmed.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS


def list_texts(report, kind):
    return '\n'.join(map(str, report.select(kind)))


def test_classifier(classes, load):
    cfg, report = load(classes)
    assert cfg.model.type == 'mmmed.VolumeClassifier'
    assert cfg.model.network.backbone.model == 'efficientvit_m5'
    assert cfg.model.head.targets == {'sequence': 4}
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.optimizer == {
        'type': 'AdamW',
        'lr': 0.001,
        'weight_decay': 0.01,
    }
    assert cfg.param_scheduler[0].T_max == cfg.train_cfg.max_epochs == 25
    loader = cfg.train_dataloader
    assert (loader.batch_size, loader.num_workers) == (200, 4)
    assert loader.sampler.type == 'mmmed.WeightedClassSampler'
    assert [part.data_root for part in loader.dataset.datasets] == [
        'data/sanglah',
        'data/spine_generic',
    ]
    assert cfg.default_hooks.checkpoint.save_best == 'cls/composite'
    assert cfg.randomness.seed == 420
    # Prepared folders have training and validation cases; see the note.
    assert cfg.test_dataloader == cfg.val_dataloader
    assert cfg.val_dataloader.dataset.datasets[0].split == 'val'
    backends = [backend.type for backend in cfg.visualizer.vis_backends]
    assert backends == ['LocalVisBackend', 'WandbVisBackend']
    mended = list_texts(report, 'mended')
    for part in (
        'train_loss chooses',
        "'_directory_ssd.yaml' is absent",
        'model.in_channels: 3 copies',
        'sanglah.path: a path of one computer',
    ):
        assert part in mended
    (missing,) = report.select('unmatched')
    assert missing.key == 'model.pretrained'


def test_its_name_tells_the_target_before_its_data(classes, load):
    data = classes.parent / 'data' / 'sequence_s3_1_224.yaml'
    data.write_text(data.read_text().replace('sanglah:', 'radimagenet_v1:'))
    assert load(classes)[0].model.head.targets == {'sequence': 4}


def test_steps_of_a_classifier_in_order(classes, load):
    cfg, _ = load(classes)
    augment = cfg.train_pipeline[2]
    assert [(s.type[6:], s.prob) for s in augment.steps] == [
        ('RandomBlurSlice', 0.2),
        ('RandomCropResizeSlice', 0.2),
        ('RandomFlipSlice', 0.3),
        ('RandomNoiseSlice', 0.2),
        ('RandomPoseSlice', 0.1),
    ]
    # The size of pictures is only said behind the window, and by the model.
    assert augment.steps[1].share == 196 / 224
    assert augment.steps[4].angle_deg == 90
    assert [step.type[6:] for step in cfg.test_pipeline] == [
        'LoadSlice',
        'FitSlice',
        'PackSliceTargets',
    ]


@pytest.mark.parametrize(
    ('name', 'backbone', 'loss'),
    [
        ('UNET', 'mmmed.SpinalUNet', {'type': 'mmmed.SoftDiceLoss', 'smooth': 1.0}),
        (
            'AttentionUNET',
            'mmmed.SpinalUNet',
            {
                'type': 'mmmed.DiceCELoss',
                'dice_weight': 0.0,
                'ce_weight': 1.0,
                'loss_name': 'loss_bce',
            },
        ),
        (
            'DUCKNet',
            'mmmed.DUCKNet',
            {'type': 'mmmed.SoftDiceLoss', 'smooth': 1e-6, 'batch_dice': True},
        ),
        (
            'ImproveSTAMPUNet',
            'mmmed.SpinalUNet',
            {'type': 'mmmed.SoftDiceLoss', 'smooth': 1.0},
        ),
    ],
)
def test_networks_of_masks(make_masks, load, name, backbone, loss):
    cfg, report = load(make_masks(name))
    assert cfg.model.backbone.type == backbone
    assert cfg.model.decode_head.loss_decode == loss
    assert cfg.model.backbone.get('attention', False) == (name == 'AttentionUNET')
    assert report.select('unmatched') == []
    # Taken twice, sigmoid would lie between 0.5 and 0.73.
    is_double = 'model.out_activation' in list_texts(report, 'mended')
    assert is_double == (name in ('AttentionUNET', 'DUCKNet'))
    # The best score may be that of a network before it was pruned.
    best = None if name == 'ImproveSTAMPUNet' else 'overlap/dice_patient_lesion'
    assert cfg.default_hooks.checkpoint.save_best == best
    assert cfg.optim_wrapper.type == 'OptimWrapper'
    with DefaultScope.overwrite_default_scope('mmseg'):
        MODELS.build(cfg.model)


def test_pruning(make_masks, load):
    cfg, report = load(make_masks('ImproveSTAMPUNet'))
    pruning = cfg.custom_hooks[-1]
    assert pruning == {
        'type': 'mmmed.STAMPPruningHook',
        'mode': 'taylor',
        'num_filters': 1,
        'prune_every': 10,
        'until': 400,
        'recovery': 10,
    }
    HOOKS.build(pruning)
    assert 'is a number of filters: 1' in list_texts(report, 'mended')


def test_every_step_of_the_heavy_recipe_runs(make_masks, load):
    """All parts build, and the steps take a slice of 0 to 255."""
    cfg, report = load(make_masks('UNET'), plane='axial')
    assert cfg.train_dataloader.dataset.plane == 'axial'
    assert 'the field changes along both axes' in list_texts(report, 'mended')
    assert len(cfg.train_pipeline[2].steps) == 10
    always = [{**step, 'prob': 1.0} for step in cfg.train_pipeline[2].steps]
    augment = TRANSFORMS.build({**cfg.train_pipeline[2], 'steps': always})
    sample = {
        'img': np.full((40, 30, 1), 99, np.float32),
        'gt_seg_map': np.ones((40, 30), np.uint8),
        'seg_fields': ['gt_seg_map'],
        'rng': np.random.default_rng(0),
    }
    out = augment(sample)
    assert len(out['applied']) == 10
    assert out['img'].shape == (40, 30, 1)
    for step in (*cfg.train_pipeline, *cfg.test_pipeline):
        TRANSFORMS.build(step)
    METRICS.build(cfg.val_evaluator)
    assert DATASETS.get(cfg.train_dataloader.dataset.type) is not None


def test_the_host_makes_its_optimizer_and_schedules(make_masks, load):
    cfg, _ = load(make_masks('UNET'))
    wrapper = build_optim_wrapper(nn.Linear(2, 1), cfg.optim_wrapper)
    assert wrapper.optimizer.defaults['weight_decay'] == 0.01
    (schedule,) = cfg.param_scheduler
    scheduler = PARAM_SCHEDULERS.build({**schedule, 'optimizer': wrapper})
    for _ in range(100):
        scheduler.step()
    # Half of a cosine from 1e-3 to 1e-6.
    assert wrapper.optimizer.param_groups[0]['lr'] == pytest.approx(5.005e-4)


def test_rate_of_every_epoch(make_masks, load):
    path = make_masks('UNET')
    warmup = 'warmup_t: 2, warmup_lr_init: 1e-4, lr_min'
    text = path.read_text().replace('epochs: 200', 'epochs: 6')
    path.write_text(text.replace('lr_min', warmup).replace('1e-6', '0'))
    cfg, _ = load(path)
    wrapper = build_optim_wrapper(nn.Linear(2, 1), cfg.optim_wrapper)
    schedulers = [
        PARAM_SCHEDULERS.build({**schedule, 'optimizer': wrapper})
        for schedule in cfg.param_scheduler
    ]
    rates = []
    for _ in range(6):
        rates.append(wrapper.optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    # From a tenth, over the middle, to the whole; then a cosine of four epochs.
    cosine = [(1 + np.cos(np.pi * t / 4)) / 2 for t in range(4)]
    assert rates == pytest.approx(1e-3 * np.array([0.1, 0.55, *cosine]))


def test_synthetic_lesions_are_fixed_where_they_are_scored(make_masks, load, tmp_path):
    path = make_masks('UNET')
    data = tmp_path / 'data' / 'lesion.yaml'
    step = '  - {name: lesion_aug, params: {max_lesions: 3}, target: [data, label]}\n'
    data.write_text(data.read_text() + step)
    cfg, report = load(path)
    assert cfg.train_pipeline[1] == {'type': 'mmmed.SynthesizeCordLesions'}
    assert cfg.test_pipeline[1].is_fixed is True
    assert 'the same every time' in list_texts(report, 'mended')
    assert 'max_lesions' in list_texts(report, 'unmatched')


@pytest.mark.parametrize(
    ('phase', 'target', 'expected'),
    [
        ('train', 'label', 'makes no sense; image only'),
        ('val', 'data', 'would blur the scores; left out'),
        ('[train, val]', 'data', 'in training only'),
    ],
)
def test_phase_and_target_of_a_step(
    make_masks, load, tmp_path, phase, target, expected
):
    path = make_masks('UNET')
    data = tmp_path / 'data' / 'lesion.yaml'
    step = f'{{name: alb.Blur, params: {{}}, target: {target}, phase: {phase}}}'
    data.write_text(f'{data.read_text()}  - {step}\n')
    cfg, report = load(path)
    assert expected in list_texts(report, 'mended')
    count = len(cfg.train_pipeline[2].steps)
    assert count == (10 if phase == 'val' else 11)


CHANGES = [
    # Part of the text, replacement, kind of finding, part of it.
    ('epochs: 200', 'epochs: 200\n  amp_level: O2', 'unmatched', 'trainer.amp_level'),
    ('name: CosineLR', 'name: TanhLR', 'unmatched', 'lr.scheduler.name'),
    ('precision: 32', 'precision: 64', 'unmatched', 'trainer.precision'),
    ('name: JaccardIndex', 'name: FBetaScore', 'unmatched', 'metric[0].name'),
    ('name: wandb', 'name: comet', 'unmatched', 'logger[0]'),
    ('name: DiceLoss', 'name: MSELoss', 'unmatched', 'model.loss.name'),
    ('seed: 420', 'seed: 420\nwhatever: 1', 'unmatched', 'whatever'),
    ('monitor: val_Dice', 'monitor: val_loss', 'note', 'no loss is taken'),
    ('pretrained: null', 'pretrained: a.ckpt', 'unmatched', 'load_from=FILE'),
    ('sampler: null', 'sampler: {name: Odd}', 'unmatched', "no sampler 'odd'"),
    ('name: wandb', 'name: mlflow', 'note', 'needs the package mlflow'),
    ('resume_ckpt: null', 'resume_ckpt: {run_name: a}', 'unmatched', '--resume'),
    ('weight_decay', 'decay', 'unmatched', 'optimizer.params.decay'),
    ('gpus: 1', 'gpus: 4', 'note', '--gpus 4'),
]


@pytest.mark.parametrize(('old', 'new', 'kind', 'expected'), CHANGES)
def test_says_what_becomes_of_a_key(make_masks, load, old, new, kind, expected):
    path = make_masks('UNET')
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    assert expected in list_texts(load(path)[1], kind)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('name: UNET', 'name: DeepLab', "'DeepLab', expected one of"),
        ('epochs: 200', 'epochs: many', "trainer.epochs: 'many'"),
        ('epochs: 200', 'epochs: 0', 'trainer.epochs: 0'),
        ('name: Adam', 'name: Lion', "'Lion', expected one of"),
        ('batch_size: 64', 'batches: 64', 'loader.batch_size: absent'),
        ('features: 16', 'features: -1', 'model.features: -1'),
        ('data: data/lesion.yaml', 'data: {}', 'data.dataset'),
        ('logger: [', 'logger: 3 #', 'logger: expected a list'),
    ],
)
def test_refuses(make_masks, load, old, new, message):
    path = make_masks('UNET')
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match='expected') as error:
        load(path)
    assert message in str(error.value)
