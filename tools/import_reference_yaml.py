"""Turn an experiment of the reference's spinal cord project into a config.

Says for every key that has no counterpart why, and what was mended. Exit code 0: all
keys have one; 3: some have not, and the config is written all the same (not with
--strict); 2: the file is no experiment.

Example:
    python tools/import_reference_yaml.py lesion_segmentation_01.yaml --out lesion.py
"""

import argparse
import json
import sys
from pathlib import Path

from mmmed.experiments import ImportCall, import_experiment

BASES = Path(__file__).resolve().parents[1] / 'configs' / '_base_'


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('file', type=Path, help='YAML of the experiment')
    add('--out', type=Path, help='config to write (the same name with .py)')
    add('--root', type=Path, help='folder of all files that it names (its own)')
    add('--bases', type=Path, default=BASES, help='folder of base files')
    add('--target', help='what the network answers: cord, lesion, sequence, ...')
    add('--plane', default='sagittal', choices=('axial', 'coronal', 'sagittal'))
    add('--overwrite', action='store_true', help='write over an existing config')
    add(
        '--strict',
        action='store_true',
        help='write nothing if a key has no counterpart',
    )
    add('--dry-run', action='store_true', help='write nothing')
    add('--json', action='store_true', help='last line: findings as JSON')
    add('-q', '--quiet', action='store_true', help='only what has no counterpart')
    add('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    """Import one file; the exit code is 0 or 3."""
    out = args.out or args.file.with_suffix('.py')
    if out.exists() and not (args.overwrite or args.dry_run):
        raise ValueError(f'{out}: exists; give another --out, or --overwrite')
    call = ImportCall(args.file, out, args.bases, args.root, args.target, args.plane)
    report, written = import_experiment(call, strict=args.strict, dry_run=args.dry_run)
    unmatched = report.select('unmatched')
    for kind in ('unmatched',) if args.quiet else ('note', 'mended', 'unmatched'):
        for finding in report.select(kind):
            print(f'{kind}: {finding}', file=sys.stderr)
    if not args.quiet:
        print(f'wrote {out}' if written else f'{out} is not written')
    if args.json:
        found = [vars(finding) for finding in report.findings]
        summary = {'schema_version': 1, 'written': written, 'findings': found}
        print(json.dumps(summary))
    return 3 if unmatched else 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    args = parse_args(argv)
    try:
        return run(args)
    except KeyboardInterrupt:
        print('interrupted; nothing is half-written', file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        if args.debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
