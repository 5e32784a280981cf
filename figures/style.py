"""How every figure looks, and how it becomes the same bytes each time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Told apart also by people who see fewer colours: Wong, https://www.nature.com/articles/nmeth.1618
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#aa4499", "#9ccbe8"
DARK, GREY = "#222222", "#8a8a8a"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
# Colour is never the only difference.
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D")

# The names are matplotlib's own; it says itself when one is unknown.
_STYLE: Any = {
    # A page may be shown dark: a figure brings its own paper.
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "text.color": DARK,
    "axes.labelcolor": DARK,
    "axes.edgecolor": GREY,
    "xtick.color": DARK,
    "ytick.color": DARK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "font.family": "sans-serif",
    # The first comes with matplotlib, so that the layout is the same on every machine.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    # Letters stay letters: small files, and a search finds them.
    "svg.fonttype": "none",
    # Names of clip paths come from chance otherwise.
    "svg.hashsalt": "runner-pool",
    "path.simplify_threshold": 0.3,
}

_PATH = re.compile(r' d="[^"]*"')
_FINE = re.compile(r"(\.\d\d)\d+")


@contextmanager
def house_style() -> Iterator[None]:
    """Everything drawn inside looks alike, whatever the machine's own settings say."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def svg(figure: Figure) -> bytes:
    """The figure as a file without a date or a version in it. To be called inside `house_style`."""
    FigureCanvasSVG(figure)
    made = io.BytesIO()
    figure.savefig(made, format="svg", metadata={"Date": None, "Creator": None})
    # A hundredth of a point is fine enough, and the writer leaves blanks at the ends of some lines.
    text = _PATH.sub(lambda path: _FINE.sub(r"\1", path[0]), made.getvalue().decode("utf-8"))
    lines = text.splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines).encode("utf-8")
