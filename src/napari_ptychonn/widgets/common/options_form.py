"""A form made from a frozen options dataclass: labels, ranges and tooltips are the options' own."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Generic, TypeVar, get_type_hints

from magicgui.widgets import CheckBox, Widget, create_widget
from psygnal import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

Options = TypeVar("Options")


class OptionsForm(Generic[Options]):
    """Widgets for the fields of one options class, laid out by whoever asks for them.

    Parameters
    ----------
    options : type
        A frozen dataclass whose fields are ``Annotated`` for magicgui, in a
        module without ``from __future__ import annotations``.
    """

    changed = Signal()

    def __init__(self, options: type[Options]) -> None:
        self._options = options
        hints = get_type_hints(options, include_extras=True)
        self.widgets: dict[str, Widget] = {
            field.name: create_widget(
                value=field.default, annotation=hints[field.name], name=field.name
            )
            for field in fields(options)  # type: ignore[arg-type]
        }
        for widget in self.widgets.values():
            if isinstance(widget, CheckBox):
                widget.text = ""  # what it is called stands before it, as for all others
            widget.changed.connect(self.changed)  # type: ignore[attr-defined]

    @property
    def value(self) -> Options:
        """The options as filled in.

        Raises
        ------
        InputError
            When they do not go together.
        """
        return self._options(**{name: w.value for name, w in self.widgets.items()})  # type: ignore[attr-defined]

    @value.setter
    def value(self, options: Options) -> None:
        for name, widget in self.widgets.items():
            wanted = getattr(options, name)
            if widget.value != wanted:  # type: ignore[attr-defined]
                widget.value = wanted  # type: ignore[attr-defined]

    def rows(
        self, names: tuple[str, ...] | None = None, leave_out: tuple[str, ...] = ()
    ) -> QWidget:
        """Lay out some fields, one to a row."""
        page = QWidget()
        layout = QFormLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(3)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in names if names is not None else tuple(self.widgets):
            if name not in leave_out:
                self._add_row(layout, name)
        return page

    def _add_row(self, layout: QFormLayout, name: str) -> None:
        widget = self.widgets[name]
        label = QLabel(widget.label)
        label.setToolTip(widget.tooltip or "")
        native: Any = widget.native
        native.setMinimumWidth(60)
        layout.addRow(label, native)
