"""What all pictures share: a picture is a PNG, an SVG and the data behind it; eight series are told apart by colour (Okabe and Ito's, which colour-blind readers
tell apart), by mark and by line, so that a grey print says the same."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any, Final, TypeAlias

from litrag.core.errors import CannotWrite, MissingExtra

__all__ = ["SERIES", "Look", "Picture", "drawing", "new_figure", "place_names", "saved", "text_size", "tidy"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a series looks."""

    color: str
    marker: str
    line: str | tuple[int, tuple[int, ...]]


# Okabe and Ito (2008), without the yellow, which is lost on white
_COLORS: Final = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LINES: Final[tuple[str | tuple[int, tuple[int, ...]], ...]] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1)),
    (0, (3, 1, 1, 1)),
    (0, (1, 1)),
)
SERIES: Final = tuple(Look(color, marker, line) for color, marker, line in zip(_COLORS, "osD^vPX", _LINES, strict=True))
_FORMULA: Final = re.compile(r"[=@\t\r]|[+-].*[(|!]", re.DOTALL)
_Box: TypeAlias = tuple[float, float, float, float]  # left, bottom, right, top in pixels


@dataclass(frozen=True, slots=True)
class Picture:
    """The files of one picture. In a notebook it shows itself."""

    png: Path
    svg: Path
    data: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """All three."""
        return (self.png, self.svg, self.data)

    def _repr_png_(self) -> bytes:
        return self.png.read_bytes()


@contextmanager
def drawing() -> Iterator[None]:
    """The settings under which a picture is made and saved (`@drawing()`): no text is taken for a formula, and the same results give the same file. Raises
    MissingExtra."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtra("matplotlib", "eval") from error
    with (
        mpl.rc_context({"svg.hashsalt": "litrag", "text.parse_math": False, "font.size": 9}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def new_figure(width: float, height: float) -> Any:
    """A matplotlib figure, inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    return FigureCanvasAgg(Figure(figsize=(width, height), layout="constrained")).figure


def tidy(axis: Any, *, only: str = "both") -> None:
    """A light grid behind the data, no frame above and right."""
    axis.grid(axis=only, color="0.9", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def saved(figure: Any, folder: Path, name: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Picture:
    """Writes name.png, name.svg and name.csv. Raises CannotWrite."""
    picture = Picture(folder / f"{name}.png", folder / f"{name}.svg", folder / f"{name}.csv")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(picture.png, dpi=150)
        figure.savefig(picture.svg, metadata={"Date": None})
        picture.data.write_text(_csv([head, *rows]), encoding="utf-8", newline="")
    except OSError as error:
        raise CannotWrite(folder, error.strerror or str(error)) from error
    return picture


def place_names(axis: Any, points: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """Writes each name beside its point where it covers no other name and no point; a name that had to go far is tied to its point by a line. The limits of the
    axis must stand."""
    figure = axis.figure
    figure.draw_without_rendering()
    places = [tuple(axis.transData.transform(point)) for point in points]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    halo = [_halo()]
    scale = 72 / figure.dpi  # offsets are kept in points, which do not change with the resolution of a file
    for point, name, place in zip(points, names, places, strict=True):
        box = _free(place, text_size(figure, name), taken, axis.get_window_extent())
        taken.append(box)
        right, rise = box[0] > place[0], (box[1] + box[3]) / 2 - place[1]
        tie = {
            "arrowstyle": "-",
            "color": "0.6",
            "linewidth": 0.6,
            "shrinkA": 0,
            "shrinkB": 4,
            "relpos": (not right, 0.5),
        }
        axis.annotate(
            name,
            point,
            ((box[0] - place[0]) * scale, rise * scale),
            textcoords="offset points",
            fontsize=8,
            va="center",
            arrowprops=tie if abs(rise) > 12 else None,
            path_effects=halo,
        ).set_in_layout(False)


def _halo() -> Any:
    """White around letters that stand upon lines."""
    from matplotlib.patheffects import withStroke

    return withStroke(linewidth=2.5, foreground="white")


def text_size(figure: Any, name: str) -> tuple[float, float]:
    """Width and height of a name in the figure's pixels."""
    text = figure.text(0, 0, name, fontsize=8)
    box = text.get_window_extent()
    text.remove()
    return box.width, box.height


def _free(place: tuple[float, float], size: tuple[float, float], taken: Sequence[_Box], frame: Any) -> _Box:
    """The nearest box for a name beside a place; where all are taken, the first."""
    first: _Box | None = None
    for (dx, dy), right in product(_around(size[1]), (True, False)):
        left = place[0] + 8 + dx if right else place[0] - 8 - dx - size[0]
        box = (left, place[1] + dy - size[1] / 2, left + size[0], place[1] + dy + size[1] / 2)
        first = first or box
        inside = frame.x0 <= box[0] and box[2] <= frame.x1 and frame.y0 <= box[1] and box[3] <= frame.y1
        if inside and not any(_meet(box, other) for other in taken):
            return box
    assert first is not None
    return first


def _around(height: float) -> Iterator[tuple[float, float]]:
    """Offsets from a point, nearest first."""
    yield (0, 0)
    for step in range(1, 40):
        for sign in (1, -1):
            yield (min(step, 4) * 2.0, sign * step * height * 0.6)


def _meet(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _csv(rows: Sequence[Sequence[object]]) -> str:
    """The rows; a text that a table calculator would take for a formula gets an apostrophe."""
    out = StringIO()
    safe = [[f"'{v}" if isinstance(v, str) and _FORMULA.match(v) else v for v in row] for row in rows]
    csv.writer(out, lineterminator="\n").writerows(safe)
    return out.getvalue()
