"""The version of mmmed, read by ``setup.py`` and by every run record."""

__version__ = '0.1.0'
