"""The folder of an evaluation: what may be replaced, and what is written.

Not here: what the numbers are (``score_summary``), the page (``mmmed.reporting``).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmmed.evaluation.score_options import ScoreOptions
from mmmed.evaluation.score_tables import ScoreTables
from mmmed.files import hash_json, write_csv_atomic, write_json_atomic
from mmmed.structures.json_file import load_json
from mmmed.structures.run_record import RunRecord
from mmmed.version import __version__

SCHEMA_VERSION = 1
KIND = 'mmmed-scores'


class ResultsFolder:
    """Results of one evaluation.

    Args:
        out: The folder.
        inputs: Folders or files that were scored, by role; None if there is none.
        scoring: How.
    """

    def __init__(
        self, out: Path, inputs: Mapping[str, Path | None], scoring: ScoreOptions
    ) -> None:
        self.out = out
        self.records = out / '.cases'
        self._inputs = inputs
        self._options = scoring.as_dict()

    def describe(self) -> dict[str, Any]:
        """First entries of the summary: form, inputs and options."""
        inputs = {
            name: None if path is None else _relate(path, self.out)
            for name, path in self._inputs.items()
        }
        # A comparison may join scores that are there.
        decisive = {'options': self._options, 'inputs': {**inputs, 'compare': None}}
        return {
            'schema_version': SCHEMA_VERSION,
            'kind': KIND,
            'mmmed': __version__,
            'settings_sha256': hash_json(decisive),
            'inputs': inputs,
            'options': self._options,
        }

    def check(self, *, overwrite: bool) -> None:
        """Refuse a folder that holds anything else than these results.

        Raises:
            ValueError: It is one of the inputs or a file, or it holds results of other
                inputs or options, or files that are none of ours.
        """
        out = self.out
        places = [path.resolve() for path in self._inputs.values() if path is not None]
        if out.resolve() in places or out.is_file():
            raise ValueError(
                f'{out} is an input or a file; results need another folder'
            )
        if overwrite:
            return
        ours = self._read_ours()
        if ours is None:
            names = ('cases.csv', 'summary.json', 'run.json')
            foreign = [name for name in names if (out / name).exists()]
            if foreign:
                raise ValueError(
                    f'{out / foreign[0]} is there already and none of ours; use '
                    'another folder, or --overwrite'
                )
        elif ours.get('settings_sha256') != self.describe()['settings_sha256']:
            raise ValueError(
                f'{out} holds scores of other folders or options; use another folder, '
                'or --overwrite'
            )

    def write_run(self, record: RunRecord) -> None:
        """``run.json``: command, versions, machine and times."""
        facts = {**asdict(record), KIND: self.describe()}
        write_json_atomic(self.out / 'run.json', facts)

    def write_tables(
        self, tables: ScoreTables, comparison: Sequence[Mapping[str, Any]] | None
    ) -> None:
        """The CSV files; one that these results do not have is removed."""
        parts = {
            'cases.csv': tables.cases,
            'lesions.csv': tables.lesions,
            'slices.csv': tables.slices if self._options['plane'] else None,
            'comparison.csv': comparison,
        }
        for name, rows in parts.items():
            if rows is None:
                (self.out / name).unlink(missing_ok=True)
            else:
                write_csv_atomic(self.out / name, rows)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """``summary.json``, last of all: whoever finds it finds the tables too."""
        write_json_atomic(self.out / 'summary.json', summary)

    def _read_ours(self) -> dict[str, Any] | None:
        """What the run record in the folder says of its evaluation."""
        try:
            facts = load_json(self.out / 'run.json')
        except (OSError, ValueError):
            return None
        ours = facts.get(KIND) if isinstance(facts, dict) else None
        return ours if isinstance(ours, dict) else None


def _relate(path: Path, folder: Path) -> str:
    """A path as seen from a folder."""
    text = Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    return text.encode('utf-8', 'backslashreplace').decode()
