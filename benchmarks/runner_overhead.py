"""What MMEngine's Runner with our hooks costs per iteration over a bare loop.

Both train the same network on the same batches in one process, in turns, on one
thread; CPU time is compared, so that other load on the machine does not count.

    python benchmarks/runner_overhead.py [--rounds 8] [--iters 10]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner

RECIPE = 'configs/unet/unet-s4-c16_fcn_1xb4-crop-dicece-adamw-1200i_cranium-256x256.py'


@DATASETS.register_module()
class BenchmarkNothing(torch.utils.data.Dataset):
    """A dataset of one empty sample."""

    metainfo: ClassVar[dict] = {}

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict:
        return {}


def make_batch(channels: int, size: int, batch: int) -> dict:
    """One fixed batch in the form the dataloader gives: images and label maps."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for _ in range(batch):
        image = torch.randint(
            0, 256, (channels, size, size), generator=generator, dtype=torch.uint8
        )
        sample = SegDataSample(metainfo={'img_shape': (size, size)})
        sample.gt_sem_seg = PixelData(data=(image[:1] > 200).long())
        inputs.append(image)
        samples.append(sample)
    return {'inputs': inputs, 'data_samples': samples}


def build_runner(config: Config, work_dir: str) -> Runner:
    """The recipe's runner, without validation and checkpoints."""
    config.work_dir = work_dir
    config.experiment_name = config.visualizer.name = Path(work_dir).name
    for name in ('val', 'test'):
        for part in ('dataloader', 'evaluator', 'cfg'):
            config.pop(f'{name}_{part}', None)
    config.custom_hooks = []
    config.default_hooks.checkpoint.update(interval=10**9, save_best=None)
    config.default_hooks.pop('case_table')
    config.default_hooks.pop('run_record')
    config.train_cfg.max_iters = 10**6
    config.log_level = 'WARNING'
    # The loop wants a loader; the batches come from the benchmark.
    config.train_dataloader = {
        'batch_size': 1,
        'dataset': {'type': 'BenchmarkNothing'},
        'sampler': {'type': 'DefaultSampler'},
    }
    return Runner.from_cfg(config)


def run_bare(model: torch.nn.Module, optimizer, batch: dict, iters: int) -> float:
    """CPU seconds of a loop written by hand."""
    start = time.process_time()
    for _ in range(iters):
        data = model.data_preprocessor(batch, training=True)
        losses = model.loss(data['inputs'], data['data_samples'])
        loss = sum(v for k, v in losses.items() if 'loss' in k)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 12)
        optimizer.step()
    return time.process_time() - start


def run_runner(loop, batches: Iterator[dict], iters: int) -> float:
    """CPU seconds of the same number of steps by the runner's loop and hooks."""
    start = time.process_time()
    for _ in range(iters):
        loop.runner.model.train()
        loop.run_iter(next(batches))
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=8)
    parser.add_argument('--iters', type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print('| input | bare loop ms | Runner ms | overhead ms | Runner / bare |')
    print('|---|---|---|---|---|')
    for size, batch_size in ((64, 2), (128, 4), (256, 8)):
        config = Config.fromfile(RECIPE)
        init_default_scope(config.default_scope)
        batch = make_batch(config.model.backbone.in_channels, size, batch_size)
        with tempfile.TemporaryDirectory() as folder:
            runner = build_runner(config, folder)
            runner._train_loop = runner.build_train_loop(runner._train_loop)
            runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
            runner.param_schedulers = runner.build_param_scheduler(
                runner.param_schedulers
            )
            runner.call_hook('before_run')
            runner.call_hook('before_train')
            runner.call_hook('before_train_epoch')
            batches = iter(lambda b=batch: b, None)
            bare, ours = [], []
            optimizer = torch.optim.AdamW(runner.model.parameters(), lr=1e-4)
            for _ in range(args.rounds + 1):
                ours.append(run_runner(runner._train_loop, batches, args.iters))
                bare.append(run_bare(runner.model, optimizer, batch, args.iters))
        a, b = (
            1e3 * statistics.median(times[1:]) / args.iters for times in (bare, ours)
        )
        print(
            f'| {batch_size}x{size}x{size} | {a:.1f} | {b:.1f} | {b - a:.2f} '
            f'| {b / a:.3f} |'
        )


if __name__ == '__main__':
    main()
