"""The segmentation service: HTTP jobs, the page, the watched folder.

Import from the module of the subject (``mmmed.serving.app``), so that a worker process
never loads the web framework. Not here: networks and masks (``mmmed.inference``).
"""
