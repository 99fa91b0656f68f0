"""Generate a stroke data set in the layout of ATLAS R2.0, semi-synthetic and saying so.

Examples:
    python tools/make_atlas_phantom.py /tmp/raw_atlas --subjects 12 --spacing-mm 4
    python tools/make_atlas_phantom.py data/raw_atlas --masks MASKS --workers 2

The anatomy is the MNI 2009a T1 of the nilearn wheel; with --masks the lesions are real
ones, moved and cut, else generated. The same call goes on with an interrupted one.

Exit codes: 0 done, 2 the call is wrong or the folder cannot be written, 130
interrupted.
"""

import argparse
import json
import sys

from tqdm import tqdm

from mmmed.phantoms import write_atlas_phantom


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('out', metavar='OUT', help='folder to create')
    add('--subjects', type=int, default=60, help='with masks (60)')
    add('--unlabelled', type=int, default=0, help='without, in Testing (0)')
    add('--sites', type=int, default=8, help='of the subjects with masks (8)')
    add('--seed', type=int, default=0)
    add('--masks', metavar='DIR', help='real lesion masks in MNI space')
    add('--template', metavar='FILE', help='skull-stripped T1 in MNI space')
    add('--spacing-mm', type=float, default=1.0, help='voxel size; 1 is the true grid')
    add('--workers', type=int, default=2, help='threads (2)')
    add('--json', action='store_true', help='result as JSON in the last line')
    add('--debug', action='store_true', help='show the traceback of an error')
    add('-q', '--quiet', action='store_true')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    options = dict(vars(args))
    as_json, debug = options.pop('json'), options.pop('debug')
    quiet, out = options.pop('quiet'), options.pop('out')
    try:
        subjects = write_atlas_phantom(out, **options)
        total = args.subjects + args.unlabelled
        is_hidden = quiet or not sys.stderr.isatty()
        bar = tqdm(subjects, 'Generating', total, unit='subject', disable=is_hidden)
        written = sum(1 for _ in bar)
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        if debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not quiet:
        print(f'wrote {written} subjects to {out}; semi-synthetic, see its README')
    if as_json:
        print(json.dumps({'out': str(out), 'subjects': written}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
