"""Generate a raw data set with known truth, in the layout of a real download.

Examples:
    python tools/make_phantom.py head-ct /tmp/raw --patients 12 --slices 8 --size 256
    python tools/make_phantom.py abdomen /tmp/raw --patients 4 --layout msd-liver

Exit codes: 0 done, 2 the call is wrong or the folder cannot be written, 130
interrupted.
"""

import argparse
import json
import sys

from tqdm import tqdm

from mmmed.phantoms import (
    make_abdomen_cohort,
    make_cohort,
    write_abdomen_raw,
    write_jpeg_release,
    write_nifti_release,
)
from mmmed.phantoms.abdomen_ct import PHASES
from mmmed.phantoms.abdomen_raw import LAYOUTS
from mmmed.phantoms.abdomen_tumors import TUMOR_ORGANS

WRITERS = {'jpeg': write_jpeg_release, 'nifti': write_nifti_release}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
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
    text = 'head CT with hemorrhage (ct-ich)'
    add = subjects.add_parser('head-ct', help=text, parents=[both]).add_argument
    add('--slices', type=int, default=8, help='axial slices a patient (8)')
    add('--size', type=int, default=256, help='rows and columns (256)')
    add('--release', choices=sorted(WRITERS), default='jpeg', help='layout (jpeg)')
    text = 'abdomen CT with organs, vessels, tumors'
    add = subjects.add_parser('abdomen', help=text, parents=[both]).add_argument
    add('--layout', choices=LAYOUTS, default='msd-liver', help='msd-liver')
    add('--organ', choices=sorted(TUMOR_ORGANS), default='liver', help='with tumors')
    add('--tumors', type=int, default=4, help='largest number, 0 healthy (4)')
    add('--phase', choices=PHASES, default='portal', help='of contrast (portal)')
    text = 'voxel size (3 1.5 1.5)'
    add('--spacing-mm', type=float, nargs=3, default=(3, 1.5, 1.5), metavar='Z Y X',
        help=text)  # fmt: skip
    return parser.parse_args(argv)


def generate(args: argparse.Namespace) -> int:
    """Write what was asked for; returns the number of slices, or of scans."""
    hide = args.quiet or not sys.stderr.isatty()
    bar = {'desc': 'Generating', 'total': args.patients, 'unit': 'patient'}
    if args.subject == 'abdomen':
        names = ('organ', 'tumors', 'phase', 'seed')
        options = {name: getattr(args, name) for name in names}
        options['spacing'] = args.spacing_mm
        cohort = make_abdomen_cohort(args.patients, **options)
        return write_abdomen_raw(args.out, tqdm(cohort, disable=hide, **bar),
                                 args.layout)  # fmt: skip
    shape = {'slices': args.slices, 'size': args.size}
    heads = make_cohort(args.patients, seed=args.seed, **shape)
    return WRITERS[args.release](args.out, tqdm(heads, disable=hide, **bar))


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    what = 'scans' if args.subject == 'abdomen' else 'slices'
    try:
        written = generate(args)
    except KeyboardInterrupt:
        print(f'interrupted; remove {args.out} and start again', file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not args.quiet:
        print(f'wrote {args.patients} patients, {written} {what} to {args.out}')
    if args.json:
        print(json.dumps({'patients': args.patients, what: written, 'out': args.out}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
