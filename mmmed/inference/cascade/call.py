"""What the command line of the cascade asks for; not here: doing it."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmmed.functional.planes import PLANES
from mmmed.inference.cascade.config_file import read_config
from mmmed.inference.cascade.request import CascadeCall
from mmmed.inference.cascade.run import EXIT_BAD_CALL, EXIT_SOME_FAILED, EXIT_WEIGHTS
from mmmed.inference.cascade.settings import ON_REJECT
from mmmed.inference.cascade.weights import WeightsError

_INFERENCE: tuple[tuple[str, dict[str, Any]], ...] = (
    ('-i --input', {'required': True, 'help': 'DICOM tree, NIfTI or picture folder'}),
    ('-o --out --output', {'required': True, 'metavar': 'DIR'}),
    ('-w --weights', {'default': 'weights', 'metavar': 'DIR', 'help': '(weights)'}),
    ('--config', {'metavar': 'FILE', 'help': 'YAML; options given here win'}),
    ('--batch-size', {'type': int, 'metavar': 'N', 'help': 'slices at a time (8)'}),
    (
        '--confidence',
        {'type': float, 'metavar': 'P', 'help': 'of a lesion voxel (0.5)'},
    ),
    (
        '--gpu-id',
        {'type': int, 'metavar': 'N', 'help': '-1: CPU (first GPU if there is one)'},
    ),
    (
        '--preview',
        {'action': argparse.BooleanOptionalAction, 'help': 'draw pictures (on)'},
    ),
    ('--on-reject', {'choices': ON_REJECT, 'help': 'when a gate says no (stop)'}),
    ('--plane', {'choices': PLANES, 'help': 'of the slices (as acquired)'}),
    ('--picture-plane', {'choices': PLANES, 'help': 'of PNG slices (sagittal)'}),
    (
        '--allow-missing-gates',
        {
            'action': 'store_true',
            'default': None,
            'help': 'go without gates that have no weights',
        },
    ),
    (
        '--num-parts',
        {'type': int, 'default': 1, 'help': 'divide the patients among runs'},
    ),
    (
        '--part-id',
        {'type': int, 'default': 0, 'help': 'which part this run takes, from 0'},
    ),
    ('--overwrite', {'action': 'store_true', 'help': 'make finished results anew'}),
    ('--dry-run', {'action': 'store_true', 'help': 'list the series, write nothing'}),
)

COMMANDS: dict[str, tuple[str, tuple[tuple[str, dict[str, Any]], ...]]] = {
    'inference': ('series to masks, measures and a report', _INFERENCE),
    'analyze': (
        'measure the lesions of a mask',
        (
            ('lesion', {'metavar': 'LESION', 'help': 'binary mask'}),
            ('--cord', {'metavar': 'FILE', 'help': 'its mask; lesions end at it'}),
            ('--image', {'metavar': 'FILE', 'help': 'whose values are told'}),
            ('--levels', {'metavar': 'FILE', 'help': 'vertebral level of each voxel'}),
            ('-o --out', {'required': True, 'metavar': 'DIR'}),
        ),
    ),
    'report': (
        'make the page of a finished inference again',
        (('out', {'metavar': 'OUT', 'help': 'folder of an inference'}),),
    ),
    'collect': (
        'weights from the work folders of trainings',
        (
            ('work_dirs', {'nargs': '+', 'metavar': 'WORK_DIR'}),
            ('--out', {'required': True, 'metavar': 'DIR', 'help': 'of the weights'}),
            ('--overwrite', {'action': 'store_true', 'help': 'replace other weights'}),
        ),
    ),
}
"""What each verb of ``tools/spine.py`` does, its flags, and their argparse options."""

# Options that change what a configuration file says.
_KEYS = {
    'batch_size': 'processing.batch_size',
    'confidence': 'processing.confidence_threshold',
    'gpu_id': 'processing.gpu_device',
    'on_reject': 'processing.on_reject',
    'plane': 'processing.plane',
    'picture_plane': 'processing.picture_plane',
    'allow_missing_gates': 'processing.allow_missing_gates',
    'preview': 'output.generate_previews',
}


def parse_cascade(args: Mapping[str, Any]) -> CascadeCall:
    """Sort the options of a command line by whom they concern.

    Args:
        args: By the names of the options, ``-`` as ``_``; None where an option was
            not given and the configuration file, or else the default, decides.

    Raises:
        FileNotFoundError: There is no such configuration file.
        ValueError: A mistake in it, or a value out of range.
    """
    changes = {key: args.get(name) for name, key in _KEYS.items()}
    config = read_config(args.get('config'), changes)
    return CascadeCall(
        source=Path(args['input']),
        out=Path(args['out']),
        weights=Path(args['weights']),
        settings=config.cascade,
        output=config.output,
        num_parts=args.get('num_parts') or 1,
        part_id=args.get('part_id') or 0,
        overwrite=bool(args.get('overwrite')),
        show_progress=bool(args.get('show_progress')),
    )


def find_exit_code(error: Exception) -> int:
    """Exit code of what ended a run: 4 weights, 2 call or input, 1 anything else."""
    if isinstance(error, WeightsError):
        return EXIT_WEIGHTS
    if isinstance(error, ValueError | ImportError | FileNotFoundError):
        return EXIT_BAD_CALL
    return EXIT_SOME_FAILED
