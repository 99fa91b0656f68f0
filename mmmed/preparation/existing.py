"""What may happen to an output folder that exists: nothing, or a whole replacement."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmmed.files import hash_file
from mmmed.preparation.findings import InputError
from mmmed.structures import Case, Manifest

MANIFEST, SUMMARY = 'manifest.json', 'summary.json'
_OURS = frozenset(('images', 'masks', 'rois', 'volumes', MANIFEST, SUMMARY))


def find_same(out: Path, metainfo: Mapping[str, Any], overwrite: bool) -> bool:
    """Whether the output folder already holds exactly what would be written.

    Args:
        out: Absolute output folder.
        metainfo: What the new manifest would say; ``fingerprint`` decides.
        overwrite: Whether another result of the same preparer may be replaced.

    Returns:
        True if nothing is to be done, False if the folder is free to be written.

    Raises:
        InputError: The folder holds something that must not be replaced.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    manifest = _read_own_manifest(out, str(metainfo['dataset']))
    if manifest.metainfo.get('fingerprint') == metainfo['fingerprint']:
        damaged = _find_damaged(out, manifest)
        if damaged is None:
            return True
        reason = f'was prepared like this, but {damaged} is missing or was changed'
    else:
        reason = f'was prepared differently ({_name_change(manifest, metainfo)})'
    if not overwrite:
        raise InputError(
            f'{out}: {reason}; add --overwrite to replace it, or choose another --out'
        )
    return False


def _read_own_manifest(out: Path, dataset: str) -> Manifest:
    """Never replace what we did not write: --out may be mistyped."""
    if not out.is_dir():
        raise InputError(f'{out}: is not a folder; choose another --out')
    try:
        manifest = Manifest.read(out / MANIFEST)
    except (OSError, ValueError) as error:
        raise InputError(
            f'{out}: is not empty and no prepared data set ({error}); choose another '
            '--out or move it away'
        ) from error
    if manifest.metainfo['dataset'] != dataset:
        raise InputError(
            f'{out}: holds the data set {manifest.metainfo["dataset"]!r}; choose '
            'another --out'
        )
    foreign = [
        path.name
        for path in sorted(out.iterdir())
        if path.name not in _OURS and not path.name.startswith('.')
    ]
    if foreign:
        raise InputError(
            f'{out}: also holds {foreign[0]!r}, which was not prepared; move it away '
            'or choose another --out'
        )
    return manifest


def _find_damaged(out: Path, manifest: Manifest) -> str | None:
    if not (out / SUMMARY).is_file():
        return SUMMARY
    for case in manifest.cases:
        seg_path = getattr(case, 'seg_map_path', None)  # regions of interest: none
        names = {'seg': seg_path} if seg_path else {}
        images = {'img': case.img_path} if isinstance(case, Case) else case.img_paths
        for key, name in {**images, **names}.items():
            path = out / name
            if not path.is_file() or hash_file(path) != case.sha256[key]:
                return name
    return None


def _name_change(manifest: Manifest, metainfo: Mapping[str, Any]) -> str:
    changes = [
        f'{name} was {manifest.metainfo.get(name)!r}, now {value!r}'
        for name, value in metainfo.items()
        if name != 'fingerprint' and manifest.metainfo.get(name) != value
    ]
    return '; '.join(changes) or 'the raw data has changed'
