"""Which masks two folders hold, and which prediction belongs to which reference.

The case id is the file name without its suffix; a pattern says so for other names.
Not here: reading the files (``folder_run``).
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmmed.io import VOLUME_SUFFIXES, find_suffix

_SHOWN = 3
_PLACE = '{case}'


@dataclass(frozen=True)
class MaskPair:
    """A reference and the prediction of the same case.

    Args:
        case_id: What both names have in common.
        pred: File of the prediction; None if there is none.
        target: File of the reference.
    """

    case_id: str
    pred: Path | None
    target: Path


@dataclass(frozen=True)
class Pairing:
    """Result of matching two folders.

    Args:
        pairs: One per reference, by case id.
        missing_predictions: Cases without a prediction; they are pairs too.
        missing_references: Cases without a reference; they are left out.
    """

    pairs: tuple[MaskPair, ...]
    missing_predictions: tuple[str, ...]
    missing_references: tuple[str, ...]


def find_pairs(
    pred: str | Path,
    target: str | Path,
    *,
    pred_pattern: str = _PLACE,
    target_pattern: str = _PLACE,
    allow_missing_reference: bool = False,
) -> Pairing:
    """Match the masks of two folders, or two files whatever they are called.

    Arguments and errors as :func:`find_masks` and :func:`pair_masks`.
    """
    preds = find_masks(pred, pattern=pred_pattern)
    targets = find_masks(target, pattern=target_pattern)
    if Path(pred).is_file() and Path(target).is_file():
        preds = dict(zip(targets, preds.values(), strict=True))
    return pair_masks(preds, targets, allow_missing_reference=allow_missing_reference)


def find_masks(source: str | Path, *, pattern: str = _PLACE) -> dict[str, Path]:
    """Mask files of a folder by case id.

    Args:
        source: A folder, or one file.
        pattern: Path of a mask below the folder with ``{case}`` for the case id and
            ``*`` for anything within a name; the suffix may be left out. The default
            is every mask that lies directly in the folder, which is how
            ``tools/infer.py`` and nnU-Net write them. ``{case}/seg`` looks into the
            folders of the cases, ``{case}_mask`` takes a suffix off the name.

    Returns:
        Files in the order of case ids. Hidden files are passed over.

    Raises:
        FileNotFoundError: Nothing lies at ``source``.
        ValueError: No file or two files of a case fit, or the pattern has no
            ``{case}``.
    """
    source = Path(source)
    if not source.exists():
        raise FileNotFoundError(f'{source} does not exist, expected a folder of masks')
    if source.is_file():
        return {_make_printable(source.name[: -len(find_suffix(source))]): source}
    form = _compile_pattern(pattern)
    found: dict[str, Path] = {}
    names: dict[str, str] = {}
    for relative in sorted(_walk(source, pattern.count('/')), key=os.fsencode):
        match = form.fullmatch(relative)
        if match is None:
            continue
        case_id = _make_printable(match['case'])
        # Some file systems do not tell upper from lower case.
        other = names.setdefault(case_id.casefold(), relative)
        if other != relative:
            raise ValueError(
                f'{source}: {_make_printable(other)} and {_make_printable(relative)} '
                f'are both case {case_id!r}; remove one, or choose with a pattern such '
                f"as '{_PLACE}{find_suffix(other)}'"
            )
        found[case_id] = source / relative
    if not found:
        raise ValueError(
            f'no mask in {source} fits {pattern!r}, expected names that end in '
            f'{", ".join(VOLUME_SUFFIXES)}; masks in other folders or with other names '
            f"need a pattern such as '{_PLACE}/seg' or '{_PLACE}_mask'"
        )
    return dict(sorted(found.items()))


def pair_masks(
    preds: Mapping[str, Path],
    targets: Mapping[str, Path],
    *,
    allow_missing_reference: bool = False,
) -> Pairing:
    """Match predictions and references by case id.

    Args:
        preds: From :func:`find_masks`.
        targets: The same of the references.
        allow_missing_reference: Leave predictions without a reference out instead of
            refusing them.

    Raises:
        ValueError: A prediction has no reference, or nothing matches at all.
    """
    unknown = tuple(case for case in preds if case not in targets)
    lost = tuple(case for case in targets if case not in preds)
    if len(lost) == len(targets):
        raise ValueError(
            f'no case in common: predictions are called {_list(preds)}, references '
            f'{_list(targets)}; say with a pattern which part of a name is the case'
        )
    if unknown and not allow_missing_reference:
        raise ValueError(
            f'{len(unknown)} predictions have no reference: {_list(unknown)}; add '
            'the references, or allow it (--allow-missing-reference)'
        )
    pairs = tuple(MaskPair(c, preds.get(c), path) for c, path in targets.items())
    return Pairing(pairs, lost, unknown)


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    """Regular expression of a path; ``{case}`` again means the same text."""
    if _PLACE not in pattern or '**' in pattern:
        raise ValueError(
            f"pattern {pattern!r}, expected a path with {_PLACE}, such as '{_PLACE}' "
            f"or '{_PLACE}/seg.nii.gz'"
        )
    text = re.escape(pattern).replace(re.escape('*'), '[^/]*')
    place = re.escape(_PLACE)
    text = text.replace(place, '(?P<case>[^/]+?)', 1).replace(place, '(?P=case)')
    if not pattern.lower().endswith(VOLUME_SUFFIXES):
        longest = sorted(VOLUME_SUFFIXES, key=len, reverse=True)
        text += f'(?:{"|".join(map(re.escape, longest))})'
    return re.compile(text, re.IGNORECASE)


def _walk(folder: Path, depth: int) -> Iterable[str]:
    """Files exactly so many folders down, relative, with forward slashes."""
    for name, folders, files in os.walk(folder):
        relative = Path(name).relative_to(folder)
        if len(relative.parts) == depth:
            folders.clear()
            yield from ((relative / f).as_posix() for f in files if f[0] != '.')
        folders[:] = [f for f in folders if f[0] != '.']


def _list(names: Iterable[str]) -> str:
    names = list(names)
    more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
    return ', '.join(names[:_SHOWN]) + more


def _make_printable(text: str) -> str:
    """Names may hold bytes that are no text; they become escapes."""
    return text.encode('utf-8', 'backslashreplace').decode()
