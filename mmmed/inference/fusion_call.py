"""What the command line of ``tools/fuse.py`` asks for; not here: doing it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mmmed.functional.planes import PLANES
from mmmed.inference.fusion_job import FusionOptions
from mmmed.inference.fusion_run import fit_fusion, fuse_scans
from mmmed.inference.fusion_scans import find_fusion_scans
from mmmed.inference.fusion_spec import FusionRule, FusionSpec, make_rule
from mmmed.inference.plane_fusion import load_fusion
from mmmed.inference.run import RunOutcome
from mmmed.inference.training_grid import TrainingGrid
from mmmed.io import read_volume


def run_fusion(args: Mapping[str, Any]) -> tuple[RunOutcome, dict[str, Any] | None]:
    """Everything that a call of the tool asks for, except its report.

    Args:
        args: By the names of the options, ``-`` as ``_``.

    Returns:
        What was done, and the weights if they were to be fitted.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: The call or a file is wrong.
        ImportError: A package is absent that an option needs.
    """
    spec = read_spec(args)
    check_fitting(args)
    out = Path(args['out'])
    scans = find_fusion_scans(
        args['input'],
        split=args['split'],
        fold=args['fold'],
        reference=args['reference'],
        leave_out=out,
        irregular=args['irregular'],
    )
    grid = None
    if args['grid']:
        grid = TrainingGrid.from_volume(read_volume(args['grid']), 'the grid given')
    fusion = load_fusion(
        spec,
        device=args['device'] or ('cuda' if torch.cuda.is_available() else 'cpu'),
        grid=grid,
        batch_size=args['batch_size'],
        use_bf16=args['bf16'],
        compile_model=args['compile'],
    )
    options = FusionOptions(
        save_prob='prob' in (args['save'] or ()),
        save_combos=args['fit_weights'] is not None,
        **{
            name: args[name]
            for name in ('overwrite', 'num_parts', 'part_id', 'dry_run', 'quiet')
        },
    )
    outcome = fuse_scans(
        fusion,
        scans,
        out,
        options,
        template=args['template'],
        register=args['register'] or args['template'] is not None,
    )
    fitted = None
    if args['fit_weights'] is not None and not options.dry_run:
        fitted = fit_fusion(fusion, out, Path(args['fit_weights']))
    return outcome, fitted


def read_spec(args: Mapping[str, Any]) -> FusionSpec:
    """Networks and rule of a call; what it says itself beats its files.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: No plane, an impossible rule, or a file that is none of ours.
    """
    given = {plane: args[plane] for plane in PLANES if args[plane]}
    if bool(given) == bool(args['fusion']):
        raise ValueError(
            'give either --fusion FILE or networks of planes: --axial CONFIG CKPT, '
            '--sagittal CONFIG CKPT, --coronal CONFIG CKPT'
        )
    if args['fusion']:
        spec = FusionSpec.read(args['fusion'])
        return FusionSpec(spec.planes, _change_rule(spec.rule, args))
    planes = {plane: _split_paths(words) for plane, words in given.items()}
    return FusionSpec(planes, _change_rule(FusionRule(), args))


def check_fitting(args: Mapping[str, Any]) -> None:
    """Refuse to fit weights on subjects that networks were trained on.

    Raises:
        ValueError: No fold is given, or another side than its validation.
    """
    if args['fit_weights'] is None:
        return
    if args['fold'] is None or args['split'] not in (None, 'val'):
        raise ValueError(
            '--fit-weights needs out-of-fold predictions: a prepared folder as input, '
            '--fold K, and checkpoints trained without fold K'
        )
    if args['register'] or args['template'] is not None:
        raise ValueError('--fit-weights takes prepared scans, which lie on the grid')


def _change_rule(rule: FusionRule, args: Mapping[str, Any]) -> FusionRule:
    values = rule.to_dict()
    if args['weights_file']:
        values |= _read_weights(Path(args['weights_file']))
    changes = {
        'rule': args['rule'],
        'threshold': args['threshold'],
        'min_component_mm3': args['min_component_mm3'],
    }
    values |= {name: value for name, value in changes.items() if value is not None}
    if values['rule'] != 'weighted' and args['rule'] is not None:
        values['weights'] = None
    return make_rule(values)


def _read_weights(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f'weights file {path} does not exist')
    try:
        values = json.loads(path.read_text())
        keys = ('rule', 'weights', 'threshold')
        return {key: values[key] for key in keys}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path}: no weights as --fit-weights writes them ({error})'
        ) from error


def _split_paths(words: Sequence[str]) -> tuple[Path, tuple[Path, ...]]:
    """Config, and checkpoints apart by commas or spaces."""
    names = [name for word in words[1:] for name in word.split(',') if name]
    if not names:
        raise ValueError(f'{words[0]}: no checkpoint, expected CONFIG CKPT[,CKPT...]')
    return Path(words[0]), tuple(Path(name) for name in names)
