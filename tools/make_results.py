"""Write the comparison tables of a study from its finished runs.

Example:
    python tools/make_results.py projects/stroke_atlas/results.json
        --out projects/stroke_atlas/results.md

SPEC.json names the runs by what they are (network, loss, plane, batches, seed), folders
of tools/fuse.py, and the tables; folders are relative to it. A run that is not there is
named on the page and nothing is made up for it. The CSV files behind the tables lie in
a folder beside OUT, of the same name.

Exit codes: 0 done, 2 the call, the study file or a result is wrong, 130 interrupted.
"""

import argparse
import json
import sys
from pathlib import Path

from mmmed.reporting.study_results import write_study


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('spec', type=Path, metavar='SPEC.json', help='study file')
    add('--out', type=Path, required=True, metavar='FILE.md', help='page to write')
    add('--json', action='store_true', help='summary as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true', help='only errors')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    try:
        result = write_study(args.spec, args.out)
    except KeyboardInterrupt:
        print('interrupted; nothing half-written', file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not args.quiet:
        for name, reason in result.study.absent.items():
            print(f'not there: {name}: {reason}')
        print(f'{result.page}: {len(result.study.runs)} runs, and their CSV tables')
    if args.json:
        print(json.dumps(result.as_dict()))
    return 0


if __name__ == '__main__':
    sys.exit(main())
