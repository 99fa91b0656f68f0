"""Make a report of a finished run.

Example: python tools/report.py work_dirs/unet_demo
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from mmmed.reporting import write_report

EPILOG = """\
example:
  python tools/report.py work_dirs/my_run --max-cases 6

The folder is that of `mim train` or `mim test`; what was tested lies in its folder
`evaluation`. Writes report.html (one file, opens offline), report.json and the CSV
files behind every number.

exit codes: 0 done; 2 the call or the input is wrong; 130 interrupted
"""


def parse_args(args: list[str] | None = None) -> argparse.Namespace:
    """The call, checked."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('work_dir', type=Path, help='folder of a finished run')
    parser.add_argument('--out', type=Path, help='default: WORK_DIR/report')
    parser.add_argument(
        '--max-cases',
        type=int,
        default=6,
        metavar='N',
        help='worst, and best, cases shown of each evaluation (default: 6)',
    )
    parser.add_argument(
        '--json', action='store_true', help='last line of output as JSON'
    )
    parser.add_argument(
        '--debug', action='store_true', help='show the traceback of a mistake'
    )
    noise = parser.add_mutually_exclusive_group()
    noise.add_argument('-q', '--quiet', action='store_true', help='only errors')
    noise.add_argument('-v', '--verbose', action='store_true', help='more')
    return parser.parse_args(args)


def main(args: list[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    options = parse_args(args)
    level = logging.DEBUG if options.verbose else logging.WARNING
    logging.basicConfig(level=level, format='%(levelname)s %(message)s')
    # Fonts and image codecs log far more than the report itself.
    logging.getLogger('matplotlib').setLevel(logging.WARNING)
    logging.getLogger('PIL').setLevel(logging.WARNING)
    try:
        report = write_report(
            options.work_dir,
            options.out,
            max_cases=options.max_cases,
            show_progress=False if options.quiet else None,
        )
    except (OSError, ValueError) as error:
        if options.debug:
            raise
        print(f'report: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('report: interrupted, nothing half-written', file=sys.stderr)
        return 130
    findings = report.content.findings
    if not options.quiet:
        for finding in findings:
            print(f'{finding.level}: {finding.text}')
        print(f'report: {report.html}')
    if options.json:
        result = {
            'html': str(report.html),
            'json': str(report.json),
            'findings': [finding.as_dict() for finding in findings],
        }
        print(json.dumps(result))
    return 0


if __name__ == '__main__':
    sys.exit(main())
