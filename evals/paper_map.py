"""The papers of a review as a map: a band a group of the plan, a mark a paper at its year, with its authors beside it."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from litrag.core.display import clean
from litrag.core.errors import BadInput
from litrag.core.names import labels
from litrag.core.types import Paper, Plan
from litrag.evals.pictures import SERIES, Picture, drawing, new_figure, saved, text_size, tidy

__all__ = ["draw_map"]

_WIDE: Final = 9.0  # inches
_GAP: Final = 14  # pixels between a mark and what stands before it
_ROW: Final = 0.19  # inches
_NO_GROUP: Final = "in no group of the plan"


@dataclass(frozen=True, slots=True)
class _Place:
    """A paper on the map: its year, and its name's width in pixels. Row 0 is the top of its band."""

    key: str
    year: float
    name: str
    width: float
    row: int = 0


@drawing()
def draw_map(plan: Plan, papers: Mapping[str, Paper], folder: Path, *, title: str = "") -> Picture:
    """`map`: the papers, by key, in the groups of the plan. A name whose letters the font lacks or that runs from right to left is shown as its key. Raises
    MissingExtra, CannotWrite, BadInput for no paper."""
    groups = _groups(plan, papers)
    if not groups:
        raise BadInput("no paper to draw: the review cites none")
    figure = new_figure(_WIDE, 4.0)
    axis = figure.subplots()
    axis.set_yticks(range(len(groups)), [_wrapped(name) for name in groups])  # their width is taken from the years'
    named = {key: _drawable(label.names, key) for key, label in labels(papers).items()}
    widths = {key: text_size(figure, name)[0] for key, name in named.items()}
    undated = _year_axis(axis, papers, max(widths.values()))
    bands = {
        group: _packed(axis, [_Place(key, papers[key].year or undated, named[key], widths[key]) for key in keys])
        for group, keys in groups.items()
    }
    _draw(axis, bands)
    rows = sum(_height(band) for band in bands.values())
    figure.set_figheight(max(2.5, rows * _ROW + 1.1))
    figure.suptitle(clean(title) or f"{len(papers)} papers by group and year", fontsize=10)
    found = [(key, group, papers[key].year or "", papers[key].title) for group, keys in groups.items() for key in keys]
    return saved(figure, folder, "map", ("key", "group", "year", "title"), found)


def _groups(plan: Plan, papers: Mapping[str, Paper]) -> dict[str, list[str]]:
    """Topic -> keys by year; a group without one goes by its section's heading, else by its number. A paper in several groups stands in the first;
    two groups of one name are one."""
    found: dict[str, list[str]] = {}
    left = dict.fromkeys(papers)
    parts = [(section.heading, paragraph) for section in plan.sections for paragraph in section.paragraphs]
    for number, (heading, paragraph) in enumerate(parts, start=1):
        name = paragraph.topic or heading or f"group {number}"
        for key in (key for key in paragraph.keys if key in left):
            found.setdefault(name, []).append(key)
            del left[key]
    if left:
        found[_NO_GROUP if found else "papers"] = list(left)
    return {group: sorted(keys, key=lambda key: papers[key].year) for group, keys in found.items()}


def _year_axis(axis: Any, papers: Mapping[str, Paper], widest: float) -> float:
    """Limits and ticks of the years, with room for the widest name; returns where papers without a year stand."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    years = [paper.year for paper in papers.values() if paper.year]
    first, last = (min(years), max(years)) if years else (0, 0)
    span = max(last - first, 2)
    undated = first - max(1.0, 0.08 * span)
    lacking = len(years) < len(papers)
    left = (undated if lacking else float(first)) - 0.04 * span
    axis.set_xlim(left, last + 0.04 * span)
    axis.figure.draw_without_rendering()
    room = axis.get_window_extent().width - widest - _GAP
    axis.set_xlim(left, left + (last + 0.04 * span - left) * axis.get_window_extent().width / max(room, 50))
    shown = MaxNLocator(integer=True, nbins=9).tick_values(first, last) if years else []
    ticks = [year for year in shown if first <= year <= last] or years[:1]
    axis.xaxis.set_major_locator(FixedLocator([*([undated] if lacking else []), *ticks]))
    axis.set_xticklabels([*(["n. d."] if lacking else []), *(f"{year:.0f}" for year in ticks)])
    axis.set_xlabel("year of publication")
    return undated


def _packed(axis: Any, places: Sequence[_Place]) -> list[_Place]:
    """The papers in rows, none over another's name."""
    ends: list[float] = []
    packed = []
    for place in places:
        at = float(axis.transData.transform((place.year, 0))[0])
        row = next((row for row, end in enumerate(ends) if end < at), len(ends))
        ends[row : row + 1] = [at + place.width + 2 * _GAP]
        packed.append(_Place(place.key, place.year, place.name, place.width, row))
    return packed


def _height(band: Sequence[_Place]) -> float:
    return max(place.row for place in band) + 2.0


def _draw(axis: Any, bands: Mapping[str, Sequence[_Place]]) -> None:
    top, middles = 0.0, []
    for number, band in enumerate(bands.values()):
        look, height = SERIES[number % len(SERIES)], _height(band)
        if number % 2 == 0:
            axis.axhspan(top, top + height, color="0.96", zorder=0)
        for place in band:
            y = top + place.row + 1
            axis.plot([place.year], [y], marker=look.marker, color=look.color, markersize=5, zorder=3)
            axis.annotate(
                place.name, (place.year, y), (6, 0), textcoords="offset points", fontsize=8, va="center"
            ).set_in_layout(False)
        middles.append(top + height / 2)
        top += height
    axis.set_yticks(middles, map(_wrapped, bands))
    axis.set_ylim(top, 0)
    tidy(axis, only="x")
    axis.tick_params(axis="y", length=0)


def _wrapped(name: str) -> str:
    lines = textwrap.wrap(clean(name), 26) or ["–"]
    return "\n".join([*lines[:2], *(["…"] if len(lines) > 3 else lines[2:3])])


def _drawable(name: str, key: str) -> str:
    """The name, or the key where the font has not all of its letters or they run from right to left."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    shown = clean(name)
    letters = get_font(findfont(FontProperties())).get_charmap()
    plain = all(ord(c) in letters and unicodedata.bidirectional(c) not in ("R", "AL") for c in shown)
    return shown if plain and len(shown) <= 40 else key
