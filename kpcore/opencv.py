"""The only place that imports OpenCV, so that its side effects end here.

opencv-python (unlike opencv-python-headless) points Qt at its own plugins and fonts, which breaks
any other Qt in the process; what it set is taken back. Works with both packages.
"""

from __future__ import annotations

import os

_QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
_before = {name: os.environ.get(name) for name in _QT_VARIABLES}

import cv2  # noqa: E402

for _name, _value in _before.items():
    if _value is None:
        os.environ.pop(_name, None)
    else:
        os.environ[_name] = _value

# Callers already work in their own threads; a pool inside each resize only gets in their way.
cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

__all__ = ["cv2"]
