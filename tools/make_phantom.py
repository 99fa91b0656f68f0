"""Generate a raw data set with known truth, in the layout of a real download.

Examples:
    python tools/make_phantom.py head-ct /tmp/raw --patients 12 --slices 8 --size 256
    python tools/make_phantom.py abdomen /tmp/raw --patients 4 --layout msd-liver
    python tools/make_phantom.py lesions /tmp/raw --patients 60 --missing-sequences 0.25
    python tools/make_phantom.py spine /tmp/raw --patients 6 --lesions 3

Exit codes: 0 done, 2 the call is wrong or the folder cannot be written, 130
interrupted.
"""

import argparse
import json
import sys

from tqdm import tqdm

from mmmed.phantoms.commands import SUBJECTS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line, one subcommand for each generator."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    both = argparse.ArgumentParser(add_help=False)
    add = both.add_argument
    add('out', metavar='OUT', help='folder to create')
    add('--patients', type=int, default=12, help='patients (12)')
    add('--seed', type=int, default=0)
    add('--json', action='store_true', help='result as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true')
    subjects = parser.add_subparsers(dest='subject', required=True, metavar='SUBJECT')
    for name, subject in SUBJECTS.items():
        subject.add_arguments(
            subjects.add_parser(name, help=subject.help, parents=[both]).add_argument
        )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    subject = SUBJECTS[args.subject]
    hide = args.quiet or not sys.stderr.isatty()
    bar = {'desc': 'Generating', 'total': args.patients, 'unit': 'patient'}
    try:
        written = subject.write(
            vars(args), lambda patients: tqdm(patients, disable=hide, **bar)
        )
    except KeyboardInterrupt:
        print(f'interrupted; remove {args.out} and start again', file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    what = subject.counted
    if not args.quiet:
        print(f'wrote {args.patients} patients, {written} {what} to {args.out}')
    if args.json:
        print(json.dumps({'patients': args.patients, what: written, 'out': args.out}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
