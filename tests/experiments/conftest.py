"""Experiments written from the schema of the reference, small and complete."""

from pathlib import Path

import pytest

from mmmed.experiments import ImportCall, import_experiment

BASES = Path(__file__).resolve().parents[2] / 'configs' / '_base_'

TRAINER = """
trainer:
  name: pytorch_lightning
  epochs: {epochs}
  log_every: 10
  val_every: 2
  gpus: 1
  precision: {precision}
  lr:
    init_value: {rate}
    scheduler: {{name: CosineLR, params: {{cycle_decay: 0.025, lr_min: 1e-6}}}}
  optimizer: {{name: {optimizer}, params: {{weight_decay: 0.01}}}}
  loader: {{batch_size: {batch}, num_workers: 4, pin_memory: true,
           persistent_workers: true}}
  sampler: {sampler}
  callbacks:
    - {{name: LearningRateMonitor, params: {{logging_interval: epoch}}}}
    - {{name: ModelCheckpoint, params: {{monitor: {monitor}, mode: max, save_top_k: 3,
                                        save_last: true}}}}
{callbacks}
"""
LOGS = """
logger: [{name: wandb}]
"""
CLASSES = """
project_name: cord
experiment_name: null
seed: 420
directory: _directory_ssd.yaml
model:
  name: EfficientVit_MSRA
  num_classes: 4
  size: 224
  in_channels: 3
  freeze: true
  pretrained: 'D:\\David\\weights\\best.ckpt'
  loss: {name: CrossEntropy, params: {}}
  last_activation: softmax
data: data/sequence_s3_1_224.yaml
metric:
  - {name: Accuracy, on_bar: true, params: {task: multiclass, num_classes: 4},
     phase: [train, val, test]}
  - {name: F1Score, alias: f1, on_bar: false,
     params: {task: multiclass, num_classes: 4, average: macro}, phase: [val]}
"""
CLASSES_DATA = """
dataset:
  sanglah: {path: 'C:/Users/Gigabyte/sanglah', driver: pillow,
            crawler: {name: file, params: {}}, pipeline: [{name: shuffle, params: {}}]}
  spine_generic: {path: spine_generic, driver: pillow,
                  crawler: {name: file, params: {}}, pipeline: []}
preprocess:
  - {name: label_encoding, params: {ordered: true}, target: [label]}
  - {name: to_gray, params: {}, target: [data], phase: [train, val, test]}
  - {name: alb.Blur, params: {blur_limit: 3, p: 0.2}, target: [data], phase: [train]}
  - {name: alb.RandomCrop, params: {height: 196, width: 196, p: 0.2}, target: [data],
     phase: [train]}
  - {name: alb.HorizontalFlip, params: {p: 0.3}, target: [data], phase: [train]}
  - {name: alb.GaussNoise, params: {var_limit: [10, 50], p: 0.2}, target: [data],
     phase: [train]}
  - {name: alb.Rotate, params: {limit: 90, interpolation: 1, border_mode: 4, p: 0.1},
     target: [data], phase: [train]}
  - {name: alb.Resize, params: {height: 224, width: 224}, target: [data]}
  - {name: one_hot_encoding, params: {}, target: [label]}
  - {name: alb.ToTensorV2, params: {}, target: [data]}
batch_preprocess: []
postprocess: [{name: softmax, params: {}, target: [prediction]}]
"""
MASKS = """
project_name: cord
seed: 420
directory: {{log: logs, weights: weights, data: 'D:\\data', model: models}}
model:
  name: {name}
  in_channels: 1
  out_channels: 1
  {network}
  loss: {{name: {loss}, params: {{}}}}
  last_activation: sigmoid
  resume_ckpt: null
  pretrained: null
data: data/lesion.yaml
metric:
  - {{name: JaccardIndex, alias: iou, on_bar: true, params: {{task: binary}}}}
  - {{name: Dice, params: {{num_classes: 2, ignore_index: 0}}}}
"""
MASKS_DATA = """
dataset:
  lesion_segmentation_4: {path: lesion_4, driver: torchvision,
                          crawler: {name: segmentation_file}, pipeline: []}
preprocess:
  - {name: load_segmentation_label, params: {}, target: [label]}
  - {name: alb.Resize, params: {height: 320, width: 320}, target: [data, label]}
  - {name: alb.RandomCrop, params: {height: 300, width: 300, p: 0.1},
     target: [data, label], phase: [train]}
  - {name: alb.RandomGamma, params: {gamma_limit: [70, 150], p: 0.3}, target: [data],
     phase: [train]}
  - {name: alb.RandomBrightnessContrast,
     params: {brightness_limit: 0.2, contrast_limit: 0.2, p: 0.2}, target: [data],
     phase: [train]}
  - {name: alb.MultiplicativeNoise, params: {multiplier: [0.85, 1.15], p: 0.15},
     target: [data], phase: [train]}
  - {name: alb.ElasticTransform, params: {alpha: 300, sigma: 100, p: 0.2},
     target: [data, label], phase: [train]}
  - {name: alb.GridDistortion, params: {num_steps: 5, distort_limit: 0.3, p: 0.1},
     target: [data, label], phase: [train]}
  - {name: alb.OpticalDistortion,
     params: {distort_limit: 0.1, shift_limit: 0.05, p: 0.1},
     target: [data, label], phase: [train]}
  - {name: alb.ShiftScaleRotate,
     params: {shift_limit: 0.0625, scale_limit: 0.1, rotate_limit: 15, p: 0.2},
     target: [data, label], phase: [train]}
  - {name: alb.CoarseDropout,
     params: {min_holes: 1, max_holes: 4, min_height: 8, max_height: 32, min_width: 8,
              max_width: 32, fill_value: 0, p: 0.1}, target: [data], phase: [train]}
  - {name: custom_bias_field, params: {coefficients: [0.3, 0.7], order: 3, p: 0.2},
     target: [data], phase: [train]}
  - {name: alb.Resize, params: {height: 320, width: 320}, target: [data, label]}
  - {name: tv.ToImage, params: {}, target: [data, label]}
"""
# Network lines, loss, and callbacks beside those of all.
NETWORKS = {
    'UNET': ('features: 16\n  depth: 4\n  use_batch_norm: true', 'DiceLoss', ''),
    'AttentionUNET': (
        'features: 16\n  depth: 4\n  out_activation: sigmoid',
        'BCEWithLogits',
        '',
    ),
    'DUCKNet': (
        'depth: 3\n  init_features: 8\n  normalization: batch\n'
        '  interpolation: nearest\n  out_activation: sigmoid\n  use_multiplier: true',
        'DuckNetDiceLoss',
        '',
    ),
    'ImproveSTAMPUNet': (
        'init_features: 16',
        'DiceLoss',
        '    - {name: PruningCallback, params: {prune_every_n_epochs: 10, '
        'prune_percentage: 1, mode: Taylor, total_iterations: 40, '
        'recovery_epochs: 10}}',
    ),
}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def classes(tmp_path) -> Path:
    write(tmp_path / 'data' / 'sequence_s3_1_224.yaml', CLASSES_DATA)
    trainer = TRAINER.format(
        epochs=25,
        precision=16,
        rate='1e-3',
        optimizer='AdamW',
        batch=200,
        sampler='{name: WeightedRandomSampler, params: {}}',
        monitor='train_loss',
        callbacks='',
    )
    return write(tmp_path / 'sequence_2024-10-02_01.yaml', CLASSES + trainer + LOGS)


@pytest.fixture
def make_masks(tmp_path):
    """Writer of an experiment of masks, by the name of its network."""

    def make(name: str) -> Path:
        network, loss, callbacks = NETWORKS[name]
        write(tmp_path / 'data' / 'lesion.yaml', MASKS_DATA)
        trainer = TRAINER.format(
            epochs=200,
            precision=32,
            rate=0.001,
            optimizer='Adam',
            batch=64,
            sampler='null',
            monitor='val_Dice',
            callbacks=callbacks,
        )
        text = MASKS.format(name=name, network=network, loss=loss)
        return write(tmp_path / f'lesion_{name}.yaml', text + trainer + LOGS)

    return make


@pytest.fixture
def load(tmp_path):
    """Import an experiment and load its config as the host does."""
    from mmengine.config import Config

    def run(path: Path, **options):
        out = tmp_path / 'out' / 'config.py'
        report, _ = import_experiment(ImportCall(path, out, BASES, **options))
        return Config.fromfile(out), report

    return run
