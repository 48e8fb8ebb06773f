"""The Monitor preset: a training run's curves, probe pictures and draggable snapshots.

Import it when it is first shown: pyqtgraph takes a third of a second to load.
"""

from __future__ import annotations

from kpstudio.ui.monitor.view import MonitorView

__all__ = ["MonitorView"]
