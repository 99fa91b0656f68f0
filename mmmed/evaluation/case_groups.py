"""A table of case facts: patients and the columns by which results are grouped.

Not here: scores (``score_summary``).
"""

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# More values than this are a measurement or a name, not a group.
_MOST_VALUES = 50
_MAX_BYTES = 1 << 28
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseGroups:
    """What a table says about cases.

    Args:
        patients: Patient by case id; None if the table does not say, or is none.
        columns: Value by case id, by the name of the column.
    """

    patients: Mapping[str, str] | None
    columns: Mapping[str, Mapping[str, str]]

    def get_units(self, case_ids: Sequence[str]) -> list[str]:
        """Independent unit of each case: its patient, or itself."""
        if self.patients is None:
            return list(case_ids)
        return [self.patients[case_id] for case_id in case_ids]


NO_GROUPS = CaseGroups(None, {})


def read_groups(
    path: str | Path, case_ids: Sequence[str], *, reserved: Sequence[str] = ()
) -> CaseGroups:
    """Read a CSV file with a column ``case_id`` and one row per case.

    Args:
        path: The file; further rows are passed over. ``patient_id`` names the unit of
            the intervals, every other column groups the results (a column of more
            than 50 values does not, which is told).
        case_ids: Cases that need a row.
        reserved: Names that no column may have.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: No such column, a case without a row or with two, or a reserved
            name; the message names the file.
    """
    path = Path(path)
    rows = _read_rows(path)
    names = list(rows[0]) if rows else []
    taken = sorted(set(names) & set(reserved))
    if 'case_id' not in names or taken or '' in names or None in names:
        raise ValueError(
            f'{path}: columns {names}, expected a header with case_id and names that '
            f'tables of scores do not use{f" (not {taken})" if taken else ""}'
        )
    found: dict[str, dict[str, str]] = {}
    wanted = set(case_ids)
    for row in rows:
        case_id = row['case_id']
        if case_id in wanted and found.setdefault(case_id, row) is not row:
            raise ValueError(f'{path}: two rows of case {case_id!r}, expected one')
    lost = [case_id for case_id in case_ids if case_id not in found]
    if lost:
        raise ValueError(
            f'{path}: no row of {len(lost)} cases such as {lost[0]!r}; add them'
        )
    columns: dict[str, dict[str, str]] = {
        name: {case_id: found[case_id][name] or '' for case_id in case_ids}
        for name in names
        if name not in ('case_id', 'patient_id')
    }
    for name in [n for n, c in columns.items() if len(set(c.values())) > _MOST_VALUES]:
        _log.warning(
            '%s: %s has more than %d values and groups nothing',
            path,
            name,
            _MOST_VALUES,
        )
        del columns[name]
    patients = None
    if 'patient_id' in names:
        patients = {case_id: found[case_id]['patient_id'] for case_id in case_ids}
        if not all(patients.values()):
            raise ValueError(f'{path}: a case has no patient_id; fill the column')
    return CaseGroups(patients, columns)


def _read_rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise FileNotFoundError(f'no table of groups at {path}')
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f'{path}: larger than {_MAX_BYTES} bytes, no table of cases')
    try:
        text = path.read_text(encoding='utf-8-sig')
        return list(csv.DictReader(io.StringIO(text, newline='')))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'{path}: not readable as CSV in UTF-8 ({error})') from error
