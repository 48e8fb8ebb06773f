"""What is drawn, in which order and how strongly; front first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from kpstudio.session.session import Session
from kpstudio.session.view import LayerName, LayerView, ViewState
from kpstudio.ui.actions import LAYER_TITLES, layer_is_offered
from kpstudio.ui.panels.panel import Panel
from kpstudio.ui.theme import GRID, Tokens, icon

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities

ROW_PX = 26
EYE_PX = 28
TRACK_PX = 80
NAME = Qt.ItemDataRole.UserRole + 1


class LayersPanel(Panel):
    """One row per layer: eye, name, opacity; rows are dragged to change the order."""

    key = "layers"
    title = "Layers"

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(session, tokens, parent)
        self.list = _LayerList(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 0, 4, 4)
        column.addWidget(self.list)
        session.view_changed.connect(self._on_view)
        session.document_changed.connect(self._on_document)
        self._offered: object = None
        self._shown: tuple[LayerView, ...] = ()
        self._on_view(session.view)

    def sizeHint(self) -> QSize:
        """Return room for the usual layers."""
        return QSize(296, 8 * ROW_PX + GRID)

    def is_needed(self, can: Capabilities | None) -> bool:
        """Without a model there is only the picture."""
        return can is not None

    @property
    def can(self) -> Capabilities | None:
        """What the open model can do."""
        model = self.session.document.model
        return model.capabilities if model else None

    def _on_document(self, document: object) -> None:
        if self._offered is not self.can:
            self._on_view(self.session.view)

    def _on_view(self, view: ViewState) -> None:
        if view.layers == self._shown and self._offered is self.can:
            return
        self._shown, self._offered = view.layers, self.can
        self.list.show_layers(view.layers, self.can)

    def change(self, name: LayerName, **changes: Any) -> None:
        """Change one layer."""
        view = self.session.view.with_layer(name, **changes)
        self.session.update_view(layers=view.layers)

    def reorder(self, names: list[LayerName]) -> None:
        """Put the layers into another order, front first."""
        view = self.session.view
        self.session.update_view(layers=tuple(view.layer(name) for name in names))


class _LayerList(QListWidget):
    def __init__(self, panel: LayersPanel) -> None:
        super().__init__(panel)
        self.panel = panel
        self._sliding: QListWidgetItem | None = None
        self.setAccessibleName("Layers, front first")
        self.setAccessibleDescription(
            "Space shows or hides, Left and Right change the opacity, Alt+Up and Alt+Down the order"
        )
        self.setToolTip(
            "Click the dot to show or hide, drag the bar for opacity, drag the name to reorder"
        )
        self.setItemDelegate(_LayerRow(self))
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.model().rowsMoved.connect(self._on_moved)

    def show_layers(self, layers: tuple[LayerView, ...], can: Capabilities | None) -> None:
        """Show the layers, without those that the model does not give."""
        names = [layer.name for layer in layers]
        current = self.currentItem().data(NAME) if self.currentItem() else None
        if names != self._names():
            self.blockSignals(True)
            self.clear()
            for layer in layers:
                item = QListWidgetItem(LAYER_TITLES[layer.name])
                item.setData(NAME, layer.name)
                self.addItem(item)
                if layer.name == current:
                    self.setCurrentItem(item)
            self.blockSignals(False)
        for row, layer in enumerate(layers):
            item = self.item(row)
            item.setHidden(not layer_is_offered(layer.name, can))
            state = "shown" if layer.visible else "hidden"
            said = f"{LAYER_TITLES[layer.name]}, {state}, opacity {layer.opacity:.0%}"
            item.setData(Qt.ItemDataRole.AccessibleTextRole, said)
        self.viewport().update()

    def layer(self, item: QListWidgetItem | None) -> LayerView | None:
        """Return the layer of a row."""
        return self.panel.session.view.layer(item.data(NAME)) if item is not None else None

    def _names(self) -> list[LayerName]:
        return [self.item(row).data(NAME) for row in range(self.count())]

    def _on_moved(self, *_: object) -> None:
        self.panel.reorder(self._names())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Toggle, begin to slide, or let the list begin to drag."""
        item = self.itemAt(event.position().toPoint())
        layer = self.layer(item)
        if item is None or layer is None or event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        area = self.visualItemRect(item)
        if event.position().x() < area.left() + EYE_PX:
            self.setCurrentItem(item)
            self.panel.change(layer.name, visible=not layer.visible)
        elif track_of(area).adjusted(-8, -10, 8, 10).contains(event.position()):
            self.setCurrentItem(item)
            self._sliding = item
            self._slide(event.position())
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Slide the opacity."""
        if self._sliding is not None:
            self._slide(event.position())
        else:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        if self._sliding is None:
            super().mouseReleaseEvent(event)
        self._sliding = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """A second click is a click."""
        self.mousePressEvent(event)

    def _slide(self, at: QPointF) -> None:
        layer = self.layer(self._sliding)
        if layer is not None and self._sliding is not None:
            track = track_of(self.visualItemRect(self._sliding))
            self.panel.change(layer.name, opacity=(at.x() - track.left()) / track.width())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do by keys what the mouse does."""
        layer, key = self.layer(self.currentItem()), event.key()
        alt = event.modifiers() == Qt.KeyboardModifier.AltModifier
        if layer is None:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Return):
            self.panel.change(layer.name, visible=not layer.visible)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and not event.modifiers():
            step = 0.1 if key == Qt.Key.Key_Right else -0.1
            self.panel.change(layer.name, opacity=round(layer.opacity + step, 2))
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and alt:
            self._shift(-1 if key == Qt.Key.Key_Up else 1)
        else:
            super().keyPressEvent(event)

    def _shift(self, step: int) -> None:
        names, row = self._names(), self.currentRow()
        other = row + step
        while 0 <= other < len(names) and self.item(other).isHidden():
            other += step
        if 0 <= other < len(names):
            names.insert(other, names.pop(row))
            self.panel.reorder(names)


class _LayerRow(QStyledItemDelegate):
    def __init__(self, layers: _LayerList) -> None:
        super().__init__(layers)
        self._layers = layers

    def sizeHint(self, option: QStyleOptionViewItem, index: Any) -> QSize:
        """Return the height of a row."""
        return QSize(160, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Paint eye, name and opacity."""
        tokens = self._layers.panel.tokens
        layer = self._layers.layer(self._layers.item(index.row()))
        if layer is None:
            return
        area = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = option.state & QStyle.StateFlag.State_HasFocus and self._layers.hasFocus()
        if focused:
            painter.fillRect(option.rect, QColor(tokens.selected))
        painter.setPen(QColor(tokens.line))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        name = "eye" if layer.visible else "eye-off"
        ink = tokens.accent if layer.visible else tokens.faint
        eye = QRect(option.rect.left() + 6, option.rect.center().y() - 7, 16, 16)
        icon(name, tokens, ink).paint(painter, eye)
        painter.setPen(QColor(tokens.text if layer.visible else tokens.secondary))
        track = track_of(option.rect)
        text = area.adjusted(EYE_PX + 2, 0, track.left() - area.right() - GRID, 0)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(text, left, LAYER_TITLES[layer.name])
        self._paint_track(painter, track, layer, tokens)
        painter.restore()

    @staticmethod
    def _paint_track(painter: QPainter, track: QRectF, layer: LayerView, tokens: Tokens) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.line))
        painter.drawRoundedRect(track, 1.5, 1.5)
        ink = QColor(tokens.accent if layer.visible else tokens.faint)
        painter.setBrush(ink)
        end = track.left() + track.width() * layer.opacity
        painter.drawRoundedRect(QRectF(track.topLeft(), QPointF(end, track.bottom())), 1.5, 1.5)
        painter.setPen(ink)
        painter.setBrush(QColor(tokens.panel))
        painter.drawEllipse(QPointF(end, track.center().y()), 4.5, 4.5)


def track_of(area: QRect) -> QRectF:
    """Return where the opacity's groove lies in a row."""
    return QRectF(area.right() - TRACK_PX - 10, area.center().y() - 1, TRACK_PX, 3)
