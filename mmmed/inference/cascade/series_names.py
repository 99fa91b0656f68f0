"""Names of patients and series in the folder of results: safe, unique, telling nothing.

They say what the input's own folder and file names say. The header of a DICOM file
tells more, and nothing of it becomes a name: where no folder names a patient, the
first eight hexadecimal digits of the SHA-256 of the PatientID do. That hides the ID
from a glance and keeps a patient's series together; whoever has a list of IDs can
compute it, so it makes no data anonymous.
"""

import contextlib
import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmmed.inference.discovery import make_safe_name
from mmmed.io import DicomSeries, find_suffix

# Names of files that lie beside the folders that are named here.
_TAKEN = ('run.json', 'batch_report.json', 'analysis_summary.json', 'report.html')


@dataclass(frozen=True)
class SeriesPlace:
    """Where a series lies.

    Args:
        path: Of its file, or of the folder that holds all its files, below the input.
        kind: See ``series.Series``.
        files: See ``series.Series``.
        dicom: See ``series.Series``.
    """

    path: Path
    kind: str
    files: tuple[Path, ...]
    dicom: DicomSeries | None = None

    @property
    def key(self) -> str:
        """UID and part of a DICOM series, path of any other."""
        # Files without a UID are grouped by their folder.
        if self.dicom is None or os.sep in self.dicom.uid:
            part = '' if self.dicom is None else self.dicom.part
            return ' '.join(filter(None, (self.path.as_posix(), part)))
        return ' '.join(filter(None, (self.dicom.uid, self.dicom.part)))

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the path, without the suffix of a file."""
        parts = self.path.parts
        with contextlib.suppress(ValueError, IndexError):
            suffix = find_suffix(parts[-1])
            return (*parts[:-1], parts[-1][: -len(suffix)] or parts[-1])
        return parts


def name_series(
    places: Sequence[SeriesPlace], root_name: str
) -> list[tuple[SeriesPlace, str, str]]:
    """Folder names of patient and series, for each series.

    The patient is the first folder below the input, in a BIDS tree the path down to
    ``sub-...``; of a DICOM series without a folder between, a hash of the PatientID;
    of a lone file, the file. A first folder that holds series of several PatientIDs
    is several patients.

    Args:
        places: All series of an input.
        root_name: Name of the input, for series that lie directly in it.

    Returns:
        Series, patient and name, in the order of ``places``. Names differ in more
        than their case.
    """
    owners = [_find_owner(place, root_name) for place in places]
    ids: dict[str, set[str]] = defaultdict(set)
    for place, (patient, _) in zip(places, owners, strict=True):
        if place.dicom is not None:
            ids[patient].add(place.dicom.patient_id)
    keys = []
    for place, (patient, _) in zip(places, owners, strict=True):
        divided = len(ids[patient]) > 1 and place.dicom is not None
        owner = place.dicom.patient_id if divided and place.dicom else ''
        keys.append(f'{patient}~{_digest(owner)}' if divided else patient)
    owned = sorted(set(keys))
    patients = _make_unique([key.replace('/', '_') for key in owned], owned)
    groups: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        groups[key].append(index)
    names = [''] * len(places)
    for indices in groups.values():
        texts = [owners[index][1] for index in indices]
        unique = _make_unique(texts, [places[index].key for index in indices])
        for index, text, key in zip(
            indices, texts, (places[index].key for index in indices), strict=True
        ):
            names[index] = unique[text, key]
    return [
        (place, patients[key.replace('/', '_'), key], name)
        for place, key, name in zip(places, keys, names, strict=True)
    ]


def _find_owner(place: SeriesPlace, root_name: str) -> tuple[str, str]:
    """Patient (as a path) and series in words, not yet safe nor unique."""
    steps = place.steps
    subject = next((k for k, s in enumerate(steps) if s.startswith('sub-')), None)
    if subject is not None:
        entity = steps[subject].split('_')[0]
        return '/'.join((*steps[:subject], entity)), '_'.join(
            steps[subject + 1 :] or steps[subject:]
        )
    if len(steps) > 1:
        return steps[0], '_'.join(steps[1:])
    name = steps[0] if steps else root_name
    if place.dicom is not None and place.dicom.patient_id:
        return f'patient-{_digest(place.dicom.patient_id)}', name
    return name, name


def _make_unique(
    texts: Sequence[str], keys: Sequence[str]
) -> dict[tuple[str, str], str]:
    """Safe name of each text and key; where texts agree, a digest of the key helps."""
    names = [make_safe_name(text) for text in texts]
    # Some file systems do not tell upper from lower case.
    times = Counter(name.casefold() for name in names)
    result = {}
    for text, key, name in zip(texts, keys, names, strict=True):
        if times[name.casefold()] > 1 or name.casefold() in _TAKEN:
            name = f'{name}~{_digest(key)}'
        result[text, key] = name
    return result


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:8]
