"""A real server at a free port of this machine, and small scans to send to it."""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import uvicorn

from mmmed.io import write_volume
from mmmed.serving.app import create_app
from mmmed.serving.desk import Desk
from mmmed.serving.jobs import JobStore
from mmmed.serving.limits import Limits
from mmmed.structures import Volume

# A worker process imports the predictors from here, as the parent does.
sys.path.append(str(Path(__file__).parent))
import serving_predictors

# Generous: a test that is slow on a busy machine has not failed.
WAIT_S = 180.0


class Service(NamedTuple):
    """A running service."""

    url: str
    desk: Desk

    def post(self, content: bytes, name: str = 'scan.nii.gz', **data: str) -> Any:
        """Answer to an upload."""
        files = {'file': (name, content)}
        return httpx.post(f'{self.url}/jobs', files=files, data=data, timeout=WAIT_S)

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, timeout=WAIT_S)

    def wait(self, job_id: str) -> dict[str, Any]:
        """The job when it is done or failed."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            job = self.get(f'/jobs/{job_id}').json()
            if job['state'] in ('done', 'failed'):
                return job
            time.sleep(0.05)
        raise AssertionError(f'still {job}')

    def segment(self, content: bytes) -> dict[str, Any]:
        """Upload and wait."""
        return self.wait(self.post(content).json()['job_id'])


@pytest.fixture(scope='module')
def start_service(tmp_path_factory) -> Iterator[Callable[..., Service]]:
    """Starts services that end with the module."""
    ends: list[Callable[[], None]] = []

    def start(
        build: Any = serving_predictors.build,
        limits: Limits | None = None,
        token: str = '',
        folder: Path | None = None,
        models: tuple[str, ...] = ('threshold',),
        watch: bool = True,
    ) -> Service:
        folder = folder or tmp_path_factory.mktemp('jobs')
        desk = Desk(JobStore(folder), build, models, limits or Limits())
        config = uvicorn.Config(
            create_app(desk, token=token), log_config=None, server_header=False
        )
        server = uvicorn.Server(config)
        door = socket.create_server(('127.0.0.1', 0))
        thread = threading.Thread(target=server.run, kwargs={'sockets': [door]})
        thread.start()
        if watch:
            desk.start()

        def end() -> None:
            server.should_exit = True
            thread.join()
            desk.stop()

        ends.append(end)
        return Service(f'http://127.0.0.1:{door.getsockname()[1]}', desk)

    yield start
    for end in ends:
        end()


@pytest.fixture(scope='module')
def service(start_service) -> Service:
    """One service for all tests of a module; a worker takes seconds to start."""
    limits = Limits(
        upload_bytes=1 << 20, unpacked_bytes=1 << 22, zip_entries=50, voxels=1 << 16
    )
    return start_service(limits=limits)


def make_scan() -> Volume:
    """A scan of 7 x 11 x 13 voxels of 3 x 0.75 x 1.25 mm, oblique and left-handed.

    Above 100 lie two boxes: 2 x 3 x 4 and 1 x 2 x 2 voxels.
    """
    array = np.arange(7 * 11 * 13, dtype=np.int16).reshape(7, 11, 13) % 50
    array[1:3, 2:5, 3:7] = 200
    array[5:6, 8:10, 9:11] = 300
    angle = np.deg2rad(11.0)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    spacing = (3.0, 0.75, 1.25)
    affine = np.eye(4)
    # Z towards superior, Y towards posterior, X towards left, then turned
    affine[:3, :3] = turn @ np.array([[0, 0, -1.25], [0, -0.75, 0], [3.0, 0, 0]])
    affine[:3, 3] = [31.5, -12.25, 7.125]
    return Volume(array, spacing, affine)


@pytest.fixture(scope='session')
def scan() -> Volume:
    return make_scan()


@pytest.fixture(scope='session')
def scan_bytes(tmp_path_factory, scan) -> dict[str, bytes]:
    """The scan in every format of one file."""
    folder = tmp_path_factory.mktemp('scans')
    contents = {}
    for suffix in ('.nii', '.nii.gz', '.nrrd', '.mha'):
        write_volume(scan, folder / f'scan{suffix}')
        contents[suffix] = (folder / f'scan{suffix}').read_bytes()
    return contents


@pytest.fixture(scope='session')
def make_bytes(tmp_path_factory) -> Callable[[int], bytes]:
    """A small NIfTI whose largest value tells the predictor what to do."""
    folder = tmp_path_factory.mktemp('values')

    def make(value: int) -> bytes:
        path = folder / f'{value}.nii.gz'
        array = np.zeros((3, 4, 5), dtype=np.int16)
        array[0, 0, 0] = value
        write_volume(Volume(array, (1.0, 1.0, 1.0)), path)
        return path.read_bytes()

    return make


CONFIG = """
model = dict(type='mmmed.MedEncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', mean=[100.0], std=[50.0]),
    backbone=dict(type='UNet', in_channels=1, base_channels=2, num_stages=2,
        strides=(1, 1), enc_num_convs=(1, 1), dec_num_convs=(1,),
        downsamples=(True,), enc_dilations=(1, 1), dec_dilations=(1,),
        norm_cfg=dict(type='IN', affine=True), upsample_cfg=dict(type='InterpConv')),
    decode_head=dict(type='mmmed.MedFCNHead', in_channels=2, channels=2, in_index=1,
        num_convs=0, concat_input=False, num_classes=2, out_channels=1,
        norm_cfg=dict(type='IN'),
        loss_decode=dict(type='mmmed.DiceCELoss')),
    test_cfg=dict(mode='whole', size_divisor=4))
default_scope = 'mmseg'
custom_imports = dict(imports=['mmmed.compat'])
test_pipeline = [dict(type='mmmed.LoadSlice', size=None),
    dict(type='mmmed.PackMedInputs')]
inference = dict(intensity=dict(kind='stored'))
"""


class Networks(NamedTuple):
    """A config, its checkpoint of each plane, and the fusion of all."""

    config: Path
    weights: dict[str, Path]
    fusion: Path


@pytest.fixture(scope='session')
def networks(tmp_path_factory, scan) -> Networks:
    """Tiny networks of three planes that learned nothing, on the grid of the scan."""
    import torch
    from mmengine.config import Config

    from mmmed.inference.loading import build_model

    folder = tmp_path_factory.mktemp('networks')
    (folder / 'tiny.py').write_text(CONFIG)
    canonical = scan.reorient()
    weights = {}
    for seed, plane in enumerate(('axial', 'coronal', 'sagittal')):
        torch.manual_seed(seed)
        model = build_model(Config.fromfile(folder / 'tiny.py'))
        model.decode_head.conv_seg.weight.data.normal_()
        meta = {
            'classes': ['background', 'lesion'],
            'channels': 1,
            'unit': 'volume',
            'plane': plane,
            'grid': {
                'shape': list(canonical.shape),
                'affine': canonical.grid.tolist(),
            },
        }
        weights[plane] = folder / f'{plane}.pth'
        state = {'state_dict': model.state_dict(), 'meta': {'dataset_meta': meta}}
        torch.save(state, weights[plane])
    planes = {
        plane: {'config': 'tiny.py', 'checkpoints': [path.name]}
        for plane, path in weights.items()
    }
    (folder / 'planes.json').write_text(json.dumps(planes))
    return Networks(folder / 'tiny.py', weights, folder / 'planes.json')
