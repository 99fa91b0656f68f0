"""What a command line asks for, in the words of this room; not here: doing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mmmed.functional.organ_rule import OrganRule

CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')


@dataclass(frozen=True)
class Call:
    """A call of ``tools/infer.py``.

    Args:
        config: Config of a training; None for ONNX files.
        weights: Checkpoints or ONNX files.
        source: Scan or folder; None when a network is exported.
        out: Folder of the results, or the file to export to.
        device: As for torch.
        changes: What the user says about the recipe, for ``load_networks``.
        predict: Arguments of ``Inferencer``.
        options: Arguments of ``RunOptions``.
    """

    config: Path | None
    weights: tuple[Path, ...]
    source: Path | None
    out: Path
    device: str
    changes: dict[str, Any]
    predict: dict[str, Any]
    options: dict[str, Any]


def parse_call(args: Mapping[str, Any]) -> Call:
    """Sort the options of a command line by whom they concern.

    Args:
        args: By the names of the options, ``-`` as ``_``; ``paths`` are ``CONFIG CKPT
            [CKPT...] INPUT OUT`` or ``NETWORK.onnx [...] INPUT OUT``, without
            ``INPUT`` for an export.

    Raises:
        ValueError: Too few paths, no config for checkpoints, or window levels and
            widths that are not pairs.
    """
    config, weights, (source, out) = _sort_paths(args['paths'], bool(args['export']))
    has_gpu = torch.cuda.is_available()
    return Call(
        config=config,
        weights=weights,
        source=source,
        out=out,
        device=args['device'] or ('cuda' if has_gpu else 'cpu'),
        changes=_list_changes(args),
        predict={
            'rule': args['ensemble'],
            'use_tta': args['tta'],
            'batch_size': args['batch_size'],
            'memory_mib': args['memory_mib'],
            'organ_rule': _parse_rule(args['keep_near']),
        },
        options={
            'save': tuple(dict.fromkeys(args['save'] or ['seg'])),
            **{
                name: args[name]
                for name in (
                    'num_parts',
                    'part_id',
                    'overwrite',
                    'dry_run',
                    'irregular',
                )
            },
        },
    )


def _sort_paths(
    paths: Sequence[str], is_export: bool
) -> tuple[Path | None, tuple[Path, ...], tuple[Path | None, Path]]:
    ends = 1 if is_export else 2
    has_config = paths[0].lower().endswith(CONFIG_SUFFIXES)
    if len(paths) < ends + 1 + has_config:
        rest = 'OUT.onnx' if is_export else '[CKPT...] INPUT OUT'
        raise ValueError(
            f'got {len(paths)} paths, expected CONFIG CKPT {rest} (or ONNX files '
            'instead of CONFIG and CKPT)'
        )
    weights = tuple(Path(path) for path in paths[int(has_config) : -ends])
    wrong = [p for p in weights if (p.suffix.lower() == '.onnx') == has_config]
    if wrong and has_config:
        raise ValueError(f'{wrong[0]}: an ONNX file knows its recipe, leave CONFIG out')
    if wrong:
        raise ValueError(
            f'{wrong[0]}: expected the config first (a name that ends in '
            f'{", ".join(CONFIG_SUFFIXES)}), or ONNX files'
        )
    config = Path(paths[0]) if has_config else None
    source = None if is_export else Path(paths[-2])
    return config, weights, (source, Path(paths[-1]))


def _parse_rule(words: Sequence[str] | None) -> OrganRule | None:
    return None if words is None else OrganRule.parse(words)


def _list_changes(args: Mapping[str, Any]) -> dict[str, Any]:
    """What the user says about the recipe."""
    changes: dict[str, Any] = {}
    if args['plane'] is not None:
        changes['plane'] = args['plane']
    if args['neighbors'] is not None:
        changes['neighbors'] = args['neighbors']
    levels, widths = args['window_level'] or [], args['window_width'] or []
    if len(levels) != len(widths):
        raise ValueError('--window-level and --window-width go together, in pairs')
    if levels:
        windows = list(zip(levels, widths, strict=True))
        changes['intensity'] = {'kind': 'window', 'windows_hu': windows}
    return changes
