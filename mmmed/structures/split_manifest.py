"""SplitManifest: which case belongs to whom, and on which side it is.

The file that training, evaluation and reports name by its hash. Not here: drawing a
split or auditing one (``mmmed.preparation``).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmmed.files import hash_json, write_json_atomic
from mmmed.structures.grid_rules import freeze
from mmmed.structures.json_file import load_json
from mmmed.structures.manifest_rules import SPLITS, check_patients, is_int
from mmmed.structures.roi_case import check_val_of

SCHEMA_VERSION = 1
KIND = 'mmmed-splits'
_COLUMNS = ('case_id', 'patient_id', 'split', 'fold')


@dataclass(frozen=True)
class SplitCase:
    """Place of one case.

    Args:
        case_id: Unique name.
        patient_id: Who it belongs to (or whatever was grouped by).
        split: ``'train'`` or ``'val'`` of the hold-out partition.
        fold: Cross-validation fold in which the case is validated, from 0; tested,
            where the split has roles.
        img_path: Its image, relative to a folder that the user knows; None if the
            table named none.
        val_of: Folds in which the case is validated; only where the split has roles.
    """

    case_id: str
    patient_id: str
    split: str
    fold: int
    img_path: str | None = None
    val_of: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON entry; ``img_path`` and ``val_of`` only where there are any."""
        item: dict[str, Any] = {name: getattr(self, name) for name in _COLUMNS}
        if self.img_path is not None:
            item['img_path'] = self.img_path
        return item | ({'val_of': list(self.val_of)} if self.val_of else {})

    def get_role(self, fold: int) -> str:
        """``'train'``, ``'val'`` or ``'test'`` in a fold of a split with roles."""
        if self.fold == fold:
            return 'test'
        return 'val' if fold in self.val_of else 'train'


def hash_assignment(cases: Iterable[Any]) -> str:
    """SHA-256 of an assignment; neither order nor anything else of a file counts.

    Args:
        cases: Objects with ``case_id``, ``patient_id``, ``split`` and ``fold``, and
            perhaps ``val_of``: a split manifest and the manifest of a prepared folder
            that place the same cases alike have the same hash.
    """
    rows = []
    for case in cases:
        row = [getattr(case, name) for name in _COLUMNS]
        val_of = getattr(case, 'val_of', ())
        rows.append([*row, list(val_of)] if val_of else row)
    return hash_json(sorted(rows))


@dataclass(frozen=True)
class SplitManifest:
    """Hold-out split and cross-validation folds of the same patients.

    Args:
        metainfo: How it was drawn; needs ``num_folds``.
        cases: Places of all cases, in the order of the table they come from.
    """

    metainfo: Mapping[str, Any]
    cases: tuple[SplitCase, ...]
    balance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_roles(self) -> bool:
        """Whether every fold has a test part and a validation part of its own."""
        return any(case.val_of for case in self.cases)

    def list_roles(self) -> list[dict[str, list[str]]]:
        """Case ids of each role, for each fold; empty without roles."""
        if not self.has_roles:
            return []
        return [
            {
                role: [c.case_id for c in self.cases if c.get_role(fold) == role]
                for role in ('train', 'val', 'test')
            }
            for fold in range(self.metainfo['num_folds'])
        ]

    @property
    def hash(self) -> str:
        """Hash of the assignment, see :func:`hash_assignment`."""
        return hash_assignment(self.cases)

    @classmethod
    def read(cls, path: str | Path) -> 'SplitManifest':
        """Read and validate; the content is not trusted.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: Not a split manifest, of another schema, inconsistent, or its
                content does not fit its hash; the message names the file.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f'no split manifest at {path}; make one with tools/make_splits.py'
            )
        try:
            value = load_json(path)
            split = cls.from_dict(value)
            split.validate()
            if value.get('hash') != split.hash:
                raise ValueError(
                    f'its hash is {value.get("hash")!r} but its content has '
                    f'{split.hash!r}: it was edited by hand; make it again with '
                    'tools/make_splits.py'
                )
            if value.get('folds', []) != split.list_roles():
                raise ValueError(
                    'its lists of folds and its cases disagree: it was edited by '
                    'hand; make it again with tools/make_splits.py'
                )
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
        return split

    @classmethod
    def from_dict(cls, value: Any) -> 'SplitManifest':
        """Split manifest from decoded JSON, structure checked, content not.

        Raises:
            ValueError: Another kind of file or another schema version.
        """
        if not isinstance(value, Mapping) or value.get('kind') != KIND:
            raise ValueError(f'not a split manifest, expected "kind": "{KIND}"')
        if value.get('schema_version') != SCHEMA_VERSION:
            raise ValueError(
                f'schema_version is {value.get("schema_version")!r}, this mmmed reads '
                f'{SCHEMA_VERSION}; make the split again or use the matching mmmed'
            )
        items = value.get('cases')
        if not isinstance(items, list) or not isinstance(
            value.get('metainfo'), Mapping
        ):
            raise ValueError('lacks "metainfo" or "cases"')
        cases = tuple(_read_case(item, index) for index, item in enumerate(items))
        return cls(dict(value['metainfo']), cases, dict(value.get('balance') or {}))

    def to_dict(self) -> dict[str, Any]:
        """Value that :meth:`write` stores; ``folds`` lists the roles for readers."""
        value = {
            'schema_version': SCHEMA_VERSION,
            'kind': KIND,
            'hash': self.hash,
            'metainfo': dict(self.metainfo),
            'balance': dict(self.balance),
            'cases': [case.to_dict() for case in self.cases],
        }
        return value | ({'folds': self.list_roles()} if self.has_roles else {})

    def write(self, path: str | Path) -> None:
        """Validate, then write atomically; equal splits give equal bytes.

        Raises:
            ValueError: The split is inconsistent; nothing is written.
            OSError: The file cannot be written; an older one stays.
        """
        self.validate()
        write_json_atomic(path, self.to_dict())

    def validate(self) -> None:
        """Check every rule a reader may rely on.

        Raises:
            ValueError: A value is of the wrong type or out of range, a case occurs
                twice, or a patient is on two sides or in two folds; the message names
                the case.
        """
        num_folds: Any = self.metainfo.get('num_folds')
        if not is_int(num_folds) or num_folds < 2:
            raise ValueError(f'num_folds is {num_folds!r}, expected an integer >= 2')
        for case in self.cases:
            for name in ('case_id', 'patient_id'):
                value = getattr(case, name)
                if not isinstance(value, str) or not value:
                    raise ValueError(f'case {case.case_id!r}: {name} is {value!r}')
            if case.split not in SPLITS:
                raise ValueError(
                    f'case {case.case_id!r}: split {case.split!r}, expected {SPLITS}'
                )
            if not is_int(case.fold) or not 0 <= case.fold < num_folds:
                raise ValueError(
                    f'case {case.case_id!r}: fold {case.fold!r}, expected 0 to '
                    f'{num_folds - 1}'
                )
            where = f'case {case.case_id!r}'
            check_val_of(case.val_of, case.fold, where, num_folds=num_folds)
        counts = Counter(case.case_id for case in self.cases)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise ValueError(f'case {twice[0]!r} occurs twice, expected it once')
        check_patients(self.cases, 'split')
        check_patients(self.cases, 'fold')
        check_patients(self.cases, 'val_of')


def _read_case(item: Any, index: int) -> SplitCase:
    if not isinstance(item, Mapping):
        raise ValueError(f'cases[{index}] is {type(item).__name__}, expected an object')
    if missing := [name for name in _COLUMNS if name not in item]:
        raise ValueError(f'cases[{index}] lacks {", ".join(missing)}')
    path = item.get('img_path')
    if path is not None and not isinstance(path, str):
        raise ValueError(f'cases[{index}]: img_path is {path!r}, expected text')
    val_of = freeze(item.get('val_of', []))
    known = {name: item[name] for name in _COLUMNS}
    return SplitCase(**known, img_path=path, val_of=val_of)
