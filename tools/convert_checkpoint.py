"""Convert a legacy checkpoint that one trusts into a file that cannot run code.

Example:
    python tools/convert_checkpoint.py old.pth safe.pth --trust
"""

import argparse
import sys
from pathlib import Path

from mmmed.checkpoint import convert_trusted_checkpoint


def main() -> int:
    """Parse arguments and convert; the exit code is 0 or 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('legacy', type=Path, help='checkpoint that mmmed refuses')
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument(
        '--trust',
        action='store_true',
        help='I know who made this file: loading it can run any code',
    )
    args = parser.parse_args()
    if not args.trust:
        print(
            f'{args.legacy}: loading this file can run any code that its author put '
            'in it. Repeat the command with --trust if you know the author.',
            file=sys.stderr,
        )
        return 2
    try:
        dropped = convert_trusted_checkpoint(args.legacy, args.out)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f'wrote {args.out}' + (f', without {", ".join(dropped)}' if dropped else ''))
    return 0


if __name__ == '__main__':
    sys.exit(main())
