"""From a study file to its page and CSV tables on disk.

Not here: what is in them (``study_tables``, ``study_page``).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.files import write_csv_atomic, write_text_atomic
from mmmed.reporting.study_page import render_study
from mmmed.reporting.study_published import read_published
from mmmed.reporting.study_spec import read_study_spec
from mmmed.reporting.study_tables import Study, collect_study


@dataclass(frozen=True)
class StudyResult:
    """What was written.

    Args:
        page: Markdown file.
        tables: CSV files.
        study: What they show.
    """

    page: Path
    tables: tuple[Path, ...]
    study: Study

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            'page': str(self.page),
            'tables': [path.name for path in self.tables],
            'runs': list(self.study.runs),
            'missing': dict(self.study.absent),
        }


def write_study(spec: str | Path, out: str | Path) -> StudyResult:
    """Write the page and, in a folder beside of the same name, its CSV tables.

    The same results make the same bytes. A run that is not there is named on the page.
    Tables of an earlier call that are no longer part of the study stay.

    Args:
        spec: Study file, see :mod:`mmmed.reporting.study_spec`.
        out: Markdown file, ``.md``.

    Raises:
        FileNotFoundError: There is no such study file.
        ValueError: It is wrong, results are damaged, or ``out`` is no ``.md`` file.
        OSError: A file cannot be written.
    """
    page = Path(out)
    if page.suffix != '.md':
        raise ValueError(f'{page} is no Markdown file, expected a name ending in .md')
    study_spec = read_study_spec(spec)
    published = read_published(study_spec.published)
    study = collect_study(study_spec)
    folder = page.with_suffix('')
    written = []
    for table in study.tables:
        for section, rows in table.rows.items():
            written.append(folder / f'{table.spec.name}_{section}.csv')
            write_csv_atomic(written[-1], rows)
    subjects = study.list_all_subjects()
    if subjects:
        written.append(folder / 'subjects.csv')
        write_csv_atomic(written[-1], subjects)
    write_text_atomic(page, render_study(study, published, folder.name))
    return StudyResult(page, tuple(written), study)
