"""``python -m mmmed.serve``: the service; see :mod:`mmmed.serving.command`."""

import sys

from mmmed.serving.command import main

if __name__ == '__main__':
    sys.exit(main())
