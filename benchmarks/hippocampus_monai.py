"""A plain MONAI training of one fold of the hippocampus, peer of ``hippocampus.py``.

Network, patch, batch, steps, optimizer, schedule, mirrored axes and windows are those
of the recipe; transforms, loader, loss, inference and files are MONAI's, at the
strengths and chances of the recipe. Not here: the comparison.

    python benchmarks/hippocampus_monai.py RAW RECIPE.py --fold 0 --out DIR
"""

import argparse
import itertools
import json
import math
from pathlib import Path

import torch
from mmengine.config import Config
from monai import transforms as mt
from monai.data import CacheDataset, DataLoader, Dataset
from monai.inferers import sliding_window_inference
from monai.losses import DiceCELoss
from monai.utils import set_determinism
from torch.optim import lr_scheduler

import mmmed.compat
import mmmed.models  # noqa: F401
from mmmed.registry import MODELS

KEYS = ('img', 'seg')


def list_cases(raw: Path, manifest: Path, fold: int) -> tuple[list, list]:
    """Files of the cases to train on and of those left out."""
    data = json.loads(manifest.read_text(encoding='utf-8'))
    images = next(raw / n for n in ('imagesTr', 'images') if (raw / n).is_dir())
    labels = next(raw / n for n in ('labelsTr', 'labels') if (raw / n).is_dir())
    cases: tuple[list, list] = ([], [])
    for case in data['data_list']:
        name = f'{case["case_id"]}.nii.gz'
        files = {'img': str(images / name), 'seg': str(labels / name)}
        cases[case['fold'] == fold].append(files)
    return cases


def find_options(config: Config, name: str) -> dict:
    """Options of one transform of the recipe."""
    steps = config.train_dataloader.dataset.pipeline
    return next(step for step in steps if step['type'] == f'mmmed.{name}')


def build_loading() -> list:
    """Files to arrays, each volume with mean 0 and SD 1."""
    return [
        mt.LoadImaged(KEYS, image_only=True, ensure_channel_first=True),
        mt.NormalizeIntensityd('img'),
    ]


def build_training(config: Config) -> mt.Compose:
    """The recipe's augmentation in MONAI's transforms; axes are X, Y, Z there."""
    size = find_options(config, 'LoadVolumePatch')['size'][::-1]
    warp = find_options(config, 'RandomAffineVolume')
    grey = find_options(config, 'RandomIntensityVolume')
    axes = find_options(config, 'RandomFlipVolume').get('axes', ('Z', 'Y', 'X'))
    angle = math.radians(warp['angle_deg'])
    low, high = warp['scale']
    modes = ('bilinear', 'nearest')
    # 6.4 voxels for a cell of 16 mm. Smoothed uniform noise has an SD of 1 / sqrt(3) /
    # (2 sqrt(pi) sigma)^1.5; MONAI filters with zeros beyond the volume, which the
    # smoothness of the recipe's spline (cell / sqrt(3)) would suffer from.
    sigma = 0.4 * warp['elastic_cell_mm']
    per_mm = math.sqrt(3) * (2 * math.sqrt(math.pi) * sigma) ** 1.5
    both = {'mode': modes, 'padding_mode': 'zeros'}
    # Lazy: MONAI joins the two matrices and resamples once.
    lazy = {**both, 'lazy': True}
    return mt.Compose(
        [
            *build_loading(),
            # Whole volumes are warped, as the patch is cut from them in the end.
            mt.RandAffined(
                KEYS, prob=warp['rotate_prob'], rotate_range=[angle] * 3, **lazy
            ),
            # MONAI scales by 1 + a uniform number, the inverse magnification.
            mt.RandAffined(
                KEYS, prob=warp['scale_prob'],
                scale_range=[(1 / high - 1, 1 / low - 1)] * 3, **lazy,
            ),
            mt.Rand3DElasticd(
                KEYS, (sigma, sigma), [mm * per_mm for mm in warp['elastic_mm']],
                prob=warp['elastic_prob'], **both,
            ),
            mt.SpatialPadd(KEYS, size),
            mt.RandSpatialCropd(KEYS, size, random_size=False),
            *[mt.RandFlipd(KEYS, prob=0.5, spatial_axis='XYZ'.index(a)) for a in axes],
            mt.RandSimulateLowResolutiond('img', prob=grey.get('zoom_prob', 0.1)),
            mt.RandGaussianSmoothd(
                'img', *[(0.5, 1.0)] * 3, prob=grey.get('blur_prob', 0.1)
            ),
            mt.RandScaleIntensityd('img', (-0.25, 0.33), prob=grey['gain_prob']),
            mt.RandAdjustContrastd('img', prob=grey['gamma_prob'], gamma=(0.7, 1.5)),
            mt.RandGaussianNoised('img', prob=grey.get('noise_prob', 0.1), std=0.1),
        ]
    )  # fmt: skip


def train(config: Config, cases: list) -> torch.nn.Module:
    """The network after as many steps as the recipe has."""
    batch = config.train_dataloader.batch_size
    data = CacheDataset(cases, build_training(config), progress=False)
    loader = DataLoader(
        data, batch_size=batch, shuffle=True, drop_last=True, num_workers=1,
        persistent_workers=True,
    )  # fmt: skip
    # MONAI's network; the wrapper only pads volumes to what it can halve.
    network = MODELS.build(config.model.network).train()
    options = {k: v for k, v in config.optim_wrapper.optimizer.items() if k != 'type'}
    optimizer = torch.optim.AdamW(network.parameters(), **options)
    steps, warmup = config.train_cfg.max_iters, config.param_scheduler[0].end
    schedule = lr_scheduler.SequentialLR(
        optimizer,
        [
            lr_scheduler.LinearLR(optimizer, 0.1, total_iters=warmup),
            lr_scheduler.CosineAnnealingLR(optimizer, steps - warmup),
        ],
        [warmup],
    )
    loss_of = DiceCELoss(
        include_background=False, to_onehot_y=True, softmax=True, batch=True
    )
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    for sample in itertools.islice(batches, steps):
        optimizer.zero_grad()
        logits = network(sample['img'].as_tensor())
        loss_of(logits, sample['seg'].as_tensor()).backward()
        torch.nn.utils.clip_grad_norm_(
            network.parameters(), config.optim_wrapper.clip_grad.max_norm
        )
        optimizer.step()
        schedule.step()
    return network


@torch.no_grad()
def predict(network: torch.nn.Module, config: Config, cases: list, out: Path) -> None:
    """Label maps of the cases as NIfTI, mirrored views averaged as in the recipe."""
    test = MODELS.build(config.model).test_cfg
    # Axes count from the end: -1 is X in the recipe and Z here.
    flips = [(), *[tuple(-4 - axis for axis in axes) for axes in test.flips]]
    overlap = [1 - s / n for s, n in zip(test.stride, test.crop_size, strict=True)][
        ::-1
    ]
    save = mt.SaveImage(
        out, output_postfix='', separate_folder=False, print_log=False,
        output_dtype=torch.uint8,
    )  # fmt: skip
    network.eval()

    def average(windows: torch.Tensor) -> torch.Tensor:
        views = [network(windows.flip(f)).softmax(1).flip(f) for f in flips]
        return torch.stack(views).mean(0)

    for sample in Dataset(cases, mt.Compose(build_loading())):
        img = sample['img']
        prob = sliding_window_inference(
            img[None], test.crop_size[::-1], test.window_batch, average,
            overlap=overlap, mode='gaussian',
        )  # fmt: skip
        labels = torch.as_tensor(prob)[0].argmax(0, keepdim=True).to(torch.uint8)
        save(labels, meta_data=img.meta)


def main() -> None:
    """Train on all folds but one, and predict that."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('raw', type=Path, help='imagesTr (or images) and labelsTr')
    parser.add_argument('config', type=Path, help='recipe')
    parser.add_argument('--fold', type=int, required=True)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    set_determinism(0)
    config = Config.fromfile(args.config)
    manifest = Path(config.train_dataloader.dataset.data_root) / 'manifest.json'
    train_cases, test_cases = list_cases(args.raw, manifest, args.fold)
    predict(train(config, train_cases), config, test_cases, args.out)


if __name__ == '__main__':
    main()
