"""Segment scans over HTTP, with a page, and from a watched folder.

Example:
    python tools/serve.py --model stroke=CONFIG.py:CKPT.pth --port 8080
    python tools/serve.py --model stroke=NET.onnx --data scans --results masks --once

``--help`` lists everything. The same as ``python -m mmmed.serve``.
"""

import sys

from mmmed.serving.command import main

if __name__ == '__main__':
    sys.exit(main())
