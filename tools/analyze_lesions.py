"""Count the lesions of a prepared data set: tables, size categories, pictures.

Example: python tools/analyze_lesions.py data/atlas --plane all
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from mmmed.functional.planes import PLANES
from mmmed.preparation.lesion_regions import RegionMap
from mmmed.preparation.lesion_tables import build_tables, write_tables
from mmmed.reporting.lesion_report import (
    LesionContent,
    LesionLevel,
    write_lesion_report,
)

EPILOG = """\
example:
  python tools/analyze_lesions.py data/atlas --plane all --out data/atlas/lesions

Writes lesions_volume.csv (one row a subject) and lesions_<plane>.csv (one row a slice
with a lesion), subjects.csv, strata.csv, PNG figures and lesions.html, which shows
all of it and opens offline.

--atlas takes a label map (NIfTI or another format) in the space of the subjects, on
any grid, and beside it a table of the same name ending in .csv with the columns
label,name,region, where region is cortical, subcortical or another word; without a
table 1 is cortical and 2 subcortical. Adds regions.csv and a location per subject.

exit codes: 0 done; 2 the call or the input is wrong; 130 interrupted
"""


def parse_args(args: list[str] | None = None) -> argparse.Namespace:
    """The call, checked."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('folder', type=Path, help='prepared folder with a manifest of volumes')
    add('--plane', choices=['all', *PLANES], default='all', help='default: all')
    add('--out', type=Path, help='default: FOLDER/lesions')
    add('--atlas', type=Path, metavar='LABELMAP', help='anatomy, see below')
    legacy = 'published file names, and the heading slide for slice'
    add('--legacy-columns', action='store_true', help=legacy)
    add('--workers', type=int, default=2, help='threads (2)')
    add('--json', action='store_true', help='last line of output as JSON')
    add('--debug', action='store_true', help='show the traceback of a mistake')
    add('-q', '--quiet', action='store_true', help='only errors')
    options = parser.parse_args(args)
    if options.workers < 1:
        parser.error(f'--workers {options.workers}: expected at least 1')
    return options


def main(args: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    options = parse_args(args)
    logging.basicConfig(format='%(message)s', level=logging.INFO, stream=sys.stderr)
    out = options.out or options.folder / 'lesions'
    planes = PLANES if options.plane == 'all' else (options.plane,)
    try:
        regions = RegionMap.read(options.atlas) if options.atlas else None
        how = {'regions': regions, 'workers': options.workers, 'quiet': options.quiet}
        tables = build_tables(options.folder, planes, **how)
        files = write_tables(tables, out, legacy_columns=options.legacy_columns)
        content = LesionContent(
            dataset=tables.dataset,
            semi_synthetic=tables.semi_synthetic,
            levels=[LesionLevel(*values) for values in tables.list_levels()],
            profiles=tables.list_profiles(),
            subjects=tables.subjects,
            files=files,
        )
        page = write_lesion_report(content, out)
    except KeyboardInterrupt:
        print('interrupted; nothing half-written', file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        if options.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    rows = {level: len(found) for level, found in tables.rows.items()}
    if not options.quiet:
        print(f'{rows} rows; {page}')
    if options.json:
        print(json.dumps({'out': str(out), 'page': str(page), 'rows': rows}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
