"""Just enough of SVG to plot: axes, lines, points, bars. No dependency, the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#0a7ea4", "#bf3989")
"""Distinguishable on white; assigned in order."""
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 56, 16, 30, 44


class Plot:
    """A chart with linear axes; draw into it, then take `svg()`."""

    def __init__(
        self,
        title: str,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        x_label: str = "",
        y_label: str = "",
        width: int = 460,
        height: int = 340,
    ) -> None:
        self._x, self._y = x, y
        self._width, self._height = width, height
        self._parts: list[str] = [_text(width / 2, 18, title, weight="600", anchor="middle")]
        self._frame(x_label, y_label)

    def x(self, value: float) -> float:
        """Horizontal position of a value, in pixels."""
        low, high = self._x
        return MARGIN_LEFT + (value - low) / ((high - low) or 1) * (self._width - MARGIN_LEFT - MARGIN_RIGHT)

    def y(self, value: float) -> float:
        """Vertical position of a value, in pixels."""
        low, high = self._y
        return (
            self._height
            - MARGIN_BOTTOM
            - (value - low) / ((high - low) or 1) * (self._height - MARGIN_TOP - MARGIN_BOTTOM)
        )

    def line(self, points: Iterable[tuple[float, float]], colour: str, *, dashed: bool = False) -> None:
        """Connect points."""
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        dash = ' stroke-dasharray="4 4"' if dashed else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>'
        )

    def dot(self, x: float, y: float, colour: str, radius: float = 3.5, title: str = "") -> None:
        """One point, with a tooltip."""
        self._parts.append(
            f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{radius:.1f}" fill="{colour}" '
            f'fill-opacity="0.85"><title>{escape(title)}</title></circle>'
        )

    def bar(self, x0: float, x1: float, y: float, height: float, colour: str, title: str = "") -> None:
        """A horizontal bar around a height, `height` in pixels."""
        width = max(1.5, self.x(x1) - self.x(x0))
        self._parts.append(
            f'<rect x="{self.x(x0):.1f}" y="{self.y(y) - height / 2:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" fill="{colour}" fill-opacity="0.35"><title>{escape(title)}</title></rect>'
        )

    def label(self, x: float, y: float, text: str, colour: str = "#57606a", anchor: str = "start") -> None:
        """Text at a point of the chart."""
        self._parts.append(_text(self.x(x), self.y(y) + 4, text, colour=colour, anchor=anchor, size=11))

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """Names and colours, at the top left within the frame."""
        for row, (name, colour) in enumerate(entries):
            self._parts.append(
                _text(MARGIN_LEFT + 10, MARGIN_TOP + 18 + 15 * row, name, colour=colour, size=11)
            )

    def svg(self) -> str:
        """The picture, a whole document."""
        body = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._width} {self._height}" '
            f'width="{self._width}" height="{self._height}" font-family="system-ui, sans-serif">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
        )

    def _frame(self, x_label: str, y_label: str) -> None:
        left, right = MARGIN_LEFT, self._width - MARGIN_RIGHT
        top, bottom = MARGIN_TOP, self._height - MARGIN_BOTTOM
        self._parts.append(
            f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#8c959f" stroke-width="1"/>'
        )
        self._parts.append(_text((left + right) / 2, self._height - 8, x_label, anchor="middle", size=12))
        self._parts.append(_text(left, top - 6, y_label, size=12))

    def ticks(self, x: Sequence[tuple[float, str]] = (), y: Sequence[tuple[float, str]] = ()) -> None:
        """Marks on the axes."""
        for value, text in x:
            self._parts.append(
                _text(self.x(value), self._height - MARGIN_BOTTOM + 16, text, anchor="middle", size=11)
            )
        for value, text in y:
            self._parts.append(_text(MARGIN_LEFT - 6, self.y(value) + 4, text, anchor="end", size=11))
            self._parts.append(
                f'<path d="M{MARGIN_LEFT} {self.y(value):.1f}H{self._width - MARGIN_RIGHT}" '
                f'stroke="#d0d7de" stroke-width="0.6"/>'
            )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    colour: str = "#24292f",
    anchor: str = "start",
    size: int = 13,
    weight: str = "400",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
