"""Datalist: image and label files of a decathlon-style JSON list, training apart.

The form that MONAI and the Medical Segmentation Decathlon read (``dataset.json``).
Not here: which patient a file belongs to (``mmmed.preparation``), our own manifest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmmed.files import write_json_atomic
from mmmed.structures.json_file import load_json
from mmmed.structures.manifest_rules import check_relative_path

_SHOWN = 5
# What we write ourselves; everything else of a file is kept as ``extra``.
_LISTS = ('training', 'validation', 'test')
_COUNTS = ('numTraining', 'numValid', 'numTest')
_OWN = (*_LISTS, *_COUNTS, 'labels', 'modality', 'name', 'description')
_MAX_TEXT = 200


@dataclass(frozen=True)
class DatalistEntry:
    """One scan of a list.

    Args:
        image: File, relative to the root of the list, ``/`` separated.
        label: Its label map, likewise; None without one.
    """

    image: str
    label: str | None


@dataclass(frozen=True)
class Datalist:
    """A decathlon-style list; no scan is in training and validation both.

    Args:
        training: To train on.
        validation: To validate on; a plain ``dataset.json`` has none.
        test: Images without labels.
        labels: Name of each number of the label maps, 0 first.
        modality: Name of each channel, in order.
        name: Of the data set.
        description: One sentence.
        extra: Further keys of the file, such as ``licence`` and ``release``.
    """

    training: tuple[DatalistEntry, ...]
    validation: tuple[DatalistEntry, ...] = ()
    test: tuple[DatalistEntry, ...] = ()
    labels: Mapping[int, str] = field(default_factory=dict)
    modality: tuple[str, ...] = ()
    name: str = ''
    description: str = ''
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(
        cls, path: str | Path, *, identify: Callable[[str], str] | None = None
    ) -> 'Datalist':
        """Read and check a list; its content is not trusted.

        Args:
            path: JSON file.
            identify: As for :meth:`check_disjoint`.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: Not such a list, a path that leaves its folder, or a scan on
                both sides; the message names file and case.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'no list of scans at {path}')
        try:
            datalist = cls.from_dict(load_json(path))
            datalist.check_disjoint(identify)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
        return datalist

    @classmethod
    def from_dict(cls, value: Any) -> 'Datalist':
        """List from decoded JSON; whether sides overlap is not checked here.

        Raises:
            ValueError: The structure is another, or a path is not safe.
        """
        if not isinstance(value, Mapping) or not isinstance(
            value.get('training', value.get('validation')), list
        ):
            raise ValueError(
                'no list of scans, expected {"training": [{"image": ..., "label": ...}]'
                ', ...}'
            )
        sides = {
            side: tuple(
                _read_entry(item, f'{side}[{index}]')
                for index, item in enumerate(_get_list(value, side))
            )
            for side in _LISTS
        }
        return cls(
            **sides,
            labels=_read_labels(value.get('labels', {})),
            modality=_read_modality(value.get('modality', {})),
            name=_read_text(value, 'name'),
            description=_read_text(value, 'description'),
            extra={key: value[key] for key in value if key not in _OWN},
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON value that :meth:`write` stores."""
        value: dict[str, Any] = {
            'description': self.description,
            'labels': {str(number): name for number, name in self.labels.items()},
            'modality': {str(i): name for i, name in enumerate(self.modality)},
            'name': self.name,
            'numTraining': len(self.training),
            'numValid': len(self.validation),
            'tensorImageSize': '3D',
            **self.extra,
        }
        if self.test:
            value['numTest'] = len(self.test)
        for side in ('training', 'validation'):
            value[side] = [_to_item(entry) for entry in getattr(self, side)]
        if self.test:
            value['test'] = [entry.image for entry in self.test]
        return value

    def write(
        self, path: str | Path, *, identify: Callable[[str], str] | None = None
    ) -> None:
        """Check, then write atomically; equal lists give equal bytes.

        Raises:
            ValueError: A path is not safe, or a scan is on both sides; nothing is
                written.
        """
        Datalist.from_dict(self.to_dict()).check_disjoint(identify)
        write_json_atomic(path, self.to_dict())

    def check_disjoint(self, identify: Callable[[str], str] | None = None) -> None:
        """Refuse a scan that is trained on and validated on.

        Two entries are one scan if they have the image or the label in common, also
        where one path has further folders in front (``CT/imagesTr/a.nii.gz`` and
        ``imagesTr/a.nii.gz``), or if ``identify`` says so.

        Args:
            identify: Name of the patient that an image file is of, such as
                ``mmmed.preparation.organ_sources.identify_patient``, which knows
                that two data sets publish the same scans.

        Raises:
            ValueError: Names the scans, up to five.
        """
        shared = _find_shared(self.training, self.validation)
        if identify is not None:
            known = {identify(entry.image) for entry in self.training}
            shared += [e.image for e in self.validation if identify(e.image) in known]
        shared = list(dict.fromkeys(shared))
        if shared:
            more = f' and {len(shared) - _SHOWN} more' if len(shared) > _SHOWN else ''
            raise ValueError(
                f'{len(shared)} of {len(self.validation)} validation cases are trained '
                f'on too: {", ".join(shared[:_SHOWN])}{more}; a score on them says '
                'nothing, take them out of one list'
            )


def _find_shared(
    training: Sequence[DatalistEntry], validation: Sequence[DatalistEntry]
) -> list[str]:
    """Images of the validation side of which a file is on the other side too."""
    places: dict[str, set[tuple[str, ...]]] = {}
    for path in _list_paths(training):
        parts = tuple(path.casefold().split('/'))
        places.setdefault(parts[-1], set()).add(parts)

    def is_there(path: str) -> bool:
        parts = tuple(path.casefold().split('/'))
        return any(
            other[-len(parts) :] == parts or parts[-len(other) :] == other
            for other in places.get(parts[-1], ())
        )

    return [e.image for e in validation if any(map(is_there, _list_paths([e])))]


def _list_paths(entries: Iterable[DatalistEntry]) -> list[str]:
    return [path for e in entries for path in (e.image, e.label) if path is not None]


def _to_item(entry: DatalistEntry) -> dict[str, str]:
    label = {} if entry.label is None else {'label': entry.label}
    return {'image': entry.image, **label}


def _get_list(value: Mapping[str, Any], side: str) -> list[Any]:
    items = value.get(side, [])
    if not isinstance(items, list):
        raise ValueError(f'{side} is {type(items).__name__}, expected a list')
    return items


def _read_entry(item: Any, where: str) -> DatalistEntry:
    if isinstance(item, str):  # the decathlon's test images
        item = {'image': item}
    if not isinstance(item, Mapping):
        raise ValueError(f'{where} is {type(item).__name__}, expected an object')
    paths: list[str | None] = []
    for key in ('image', 'label'):
        path = item.get(key)
        if path is None and key == 'label':
            paths.append(None)
            continue
        # The decathlon writes "./imagesTr/..."; nothing else may be special.
        if isinstance(path, str):
            path = path.removeprefix('./')
        try:
            check_relative_path(path)
        except ValueError as error:
            raise ValueError(f'{where}: {key}: {error}') from error
        paths.append(path)
    image, label = paths
    assert image is not None
    return DatalistEntry(image, label)


def _read_labels(value: Any) -> dict[int, str]:
    """``{"0": "background"}``, or ``{"background": 0}`` as nnU-Net writes it."""
    if not isinstance(value, Mapping):
        raise ValueError(f'labels are {type(value).__name__}, expected an object')
    labels: dict[int, str] = {}
    for key, item in value.items():
        number, name = (key, item) if isinstance(item, str) else (item, key)
        try:
            number = int(str(number))
        except ValueError as error:
            raise ValueError(
                f'labels: {key!r}: {item!r}, expected a number and a name'
            ) from error
        if not 0 <= number < 1 << 16 or number in labels:
            raise ValueError(f'labels: number {number}, expected each once, 0 to 65535')
        labels[number] = _check_text(name, 'labels')
    return dict(sorted(labels.items()))


def _read_modality(value: Any) -> tuple[str, ...]:
    if not isinstance(value, Mapping) or sorted(value) != sorted(
        str(i) for i in range(len(value))
    ):
        raise ValueError('modality: expected {"0": name, "1": name, ...}')
    names = [value[str(i)] for i in range(len(value))]
    return tuple(_check_text(name, 'modality') for name in names)


def _read_text(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key, '')
    return text if isinstance(text, str) else str(text)


def _check_text(text: Any, where: str) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= _MAX_TEXT:
        raise ValueError(f'{where}: {text!r} is no name')
    if not text.isprintable():
        raise ValueError(f'{where}: {text!r} holds control characters')
    return text
