"""Figures of `performance` -> tables and plot. Knows the keys of docs/measured/performance.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from covidct.evaluation.markdown import to_markdown_table

ROOT = Path(__file__).resolve().parents[1]
PAGE, PLOT = ROOT / "docs" / "reference" / "performance.md", ROOT / "docs" / "img" / "performance.png"
OURS, GEMM = "covidct, float", "product of matrices"
BLOCK = "<!-- benchmarks/run: {name} -->\n\n"
Figures = Mapping[str, Any]


def write_page(figures: Figures) -> list[Path]:
    """Write the tables into their pages, and the plot; returns what was written."""
    tables = {
        "machine": to_machine(figures),
        "graphs": to_markdown_table(*graphs_table(figures["graphs"])),
        "nodes": to_markdown_table(*nodes_table(figures["nodes"])),
        "programs": to_markdown_table(*programs_table(figures["programs"])),
    }
    fill(PAGE, tables)
    draw(figures, PLOT)
    return [PAGE, PLOT]


def fill(path: Path, tables: Mapping[str, str]) -> None:
    """Put each text after its mark, up to the next empty line. Raises ValueError where a mark lacks."""
    text = path.read_text(encoding="utf-8")
    for name, table in tables.items():
        mark = BLOCK.format(name=name)
        before, found, after = text.partition(mark)
        if not found:
            raise ValueError(f"{path}: has no {mark.strip()}")
        _, gap, rest = after.partition("\n\n")
        text = f"{before}{mark}{table.strip()}{gap}{rest}" if gap else f"{before}{mark}{table.strip()}\n"
    path.write_text(text, encoding="utf-8")


def to_machine(figures: Figures) -> str:
    """What it was measured on."""
    machine = figures["machine"]
    return f"{machine['processor']}, {machine['cores']} cores; {machine['note']}."


def graphs_table(graphs: Figures) -> tuple[Sequence[str], list[Sequence[str]]]:
    """One slice: milliseconds, times our own, and the share of the limit that is reached."""
    times, operations = graphs["ms"], graphs["gflop"]
    limit = operations[GEMM] / median(times[GEMM])
    rows: list[Sequence[str]] = []
    for name, taken in times.items():
        share = operations[name] / median(taken) / limit if name in operations else None
        ratio = median(one / own for one, own in zip(taken, times[OURS], strict=True))
        counted = f"{operations[name]:.2f}" if name in operations else ""
        rows.append((name, spread(taken, 1), f"{ratio:.2f}", counted, f"{share:.0%}" if share else ""))
    rows += [(name, f"left out: {why}", "", "", "") for name, why in graphs["skipped"].items()]
    return ("One slice, one thread", "ms", "ratio", "GFLOP", "of the limit"), rows


def nodes_table(nodes: Mapping[str, float]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Parts of the graph, by their share."""
    total = sum(nodes.values())
    ordered = sorted(nodes.items(), key=lambda item: -item[1])
    return ("Part of the graph", "ms", "share"), [
        (name, f"{took:.2f}", f"{took / total:.0%}") for name, took in ordered
    ]


def programs_table(programs: Figures) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Whole programs: seconds, times our own on as many cores, processor time and memory."""
    rows: list[Sequence[str]] = []
    for what, raced in programs.items():
        for name, taken in raced.items():
            walls = [one["wall"] for one in taken]
            own = [one["wall"] for one in raced[find_own(name, raced)]]
            ratio = median(one / ours for one, ours in zip(walls, own, strict=True))
            processor, memory = (median(one[key] for one in taken) for key in ("processor", "memory"))
            rows.append((what, name, spread(walls, 2), f"{ratio:.1f}", f"{processor:.2f}", f"{memory:.0f}"))
    return ("What", "Program", "s", "ratio", "processor s", "MB"), rows


def find_own(name: str, raced: Mapping[str, Any]) -> str:
    """Our program that another is compared with: on as many cores."""
    cores = name.partition(", ")[2]
    return next(
        (one for one in raced if one.startswith("covidct") and one.endswith(cores)), next(iter(raced))
    )


def spread(values: Sequence[float], digits: int) -> str:
    """The median, with the quarters of the values in brackets where there are enough."""
    middle = f"{median(values):.{digits}f}"
    if len(values) < 3:
        return middle
    low, _, high = quantiles(values, n=4, method="inclusive")
    return f"{middle} ({low:.{digits}f}–{high:.{digits}f})"


def list_bars(figures: Figures) -> Iterator[tuple[str, Mapping[str, list[float]], str]]:
    """The panels of the plot: title, times by name, unit."""
    times = {name: taken for name, taken in figures["graphs"]["ms"].items() if name != GEMM}
    yield "One slice, one thread", times, "ms of processor time"
    slices = figures["machine"]["slices"]
    for what, raced in figures["programs"].items():
        title = (
            "One PNG, from the shell" if what == "one PNG" else f"{slices} slices, {what.partition(', ')[2]}"
        )
        yield title, {name: [one["wall"] for one in taken] for name, taken in raced.items()}, "s"


def draw(figures: Figures, path: Path) -> None:
    """Medians as bars, every value as a point."""
    # Here, not above: to read the tables takes no plots.
    from covidct.evaluation.plot_style import BLUE, GREY, INK, add_panel, new_figure, save_figure

    panels = list(list_bars(figures))
    figure = new_figure(7.5, 1.1 + 0.32 * sum(len(times) + 3 for _, times, _ in panels))
    grid = figure.add_gridspec(len(panels), 1, height_ratios=[len(times) + 1 for _, times, _ in panels])
    for at, (title, times, unit) in enumerate(panels):
        axes = add_panel(figure, title, unit, place=grid[at])
        for row, (name, taken) in enumerate(times.items()):
            colour = BLUE if name.startswith("covidct") else GREY
            axes.barh(row, median(taken), color=colour, alpha=0.55, height=0.65)
            axes.plot(taken, [row] * len(taken), "|", color=INK, markersize=5, alpha=0.5)
        axes.set_yticks(range(len(times)), list(times))
        axes.invert_yaxis()
        axes.set_xlim(left=0)
    save_figure(figure, path)
