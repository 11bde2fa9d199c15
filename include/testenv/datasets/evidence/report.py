"""The evidence as a page: the verdict, three things to look at, then tables and plots. One file, nothing external."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from testenv import page
from testenv.datasets.evidence.evidence import Evidence
from testenv.datasets.evidence.fidelity import Figure
from testenv.page import THINGS, Thing

TEMPLATE = Path(__file__).with_name("report.html.jinja")


def render(evidence: Evidence) -> str:
    """The page, HTML. Every value is escaped by the template."""
    tables: dict[str, list[Figure]] = defaultdict(list)
    for figure in sorted(evidence.fidelity, key=lambda each: (not each.reasons, each.shape if each.judged else 2)):
        tables[figure.contract].append(figure)
    worst_first = sorted(tables.items(), key=lambda each: (not any(f.reasons for f in each[1]), each[0]))
    return page.render(
        TEMPLATE,
        bars=_bars,
        percent=lambda share: f"{100 * share:.1f} %",
        margin=_margin,
        evidence=evidence,
        things=things(evidence),
        tables=worst_first,
        plots=_plots(evidence),
        judged=[figure for figure in evidence.fidelity if figure.judged],
    )


def things(evidence: Evidence) -> list[Thing]:
    """The three things that whoever reads the page should look at: what is wrong, else what came nearest to it."""
    found = [Thing("bad", *_titled(reason)) for reason in evidence.reasons]
    if len(found) > THINGS:
        more = len(found) - THINGS + 1
        found = [*found[: THINGS - 1], Thing("bad", f"{more} more reasons", "All of them stand below.")]
    for figure in _nearest(evidence):
        where = f"{figure.contract}: {figure.path}"
        found.append(
            Thing("good", "Nearest to its bound", f"{where}: agreement of {figure.measure} is {figure.shape:.3f}.")
        )
        break
    chance = [hit for hit in evidence.hits if hit.is_coincidence]
    if chance:
        counts = sum(hit.count for hit in chance)
        text = f"{counts} runs of digits in {chance[0].contract}: {chance[0].path} are as many as chance gives."
        found.append(Thing("warn", "Coincidences", text))
    left_out = evidence.unsearched
    cells = left_out.too_short + left_out.common_words + left_out.replacement_values
    found.append(
        Thing(
            "warn" if cells else "good", "Not searched for", f"{cells:,} cells: too short, or common words. See below."
        )
    )
    recall = evidence.canaries
    found.append(
        Thing(
            "good",
            "Canaries",
            f"The scan finds {recall.found} of {recall.planted} planted values ({recall.share:.0%}).",
        )
    )
    return found[:THINGS]


def _titled(reason: str) -> tuple[str, str]:
    kind, _, text = reason.partition(": ")
    return kind.capitalize(), text


def _nearest(evidence: Evidence) -> list[Figure]:
    shaped = [
        figure for figure in evidence.fidelity if figure.judged and figure.shape is not None and not figure.reasons
    ]
    return sorted(shaped, key=lambda each: each.shape or 0)


def _margin(figure: Figure) -> str:
    """How a figure stands, in a word."""
    if figure.reasons:
        return "bad"
    return "good" if figure.judged else "few"


def _bars(figure: Figure) -> list[tuple[float, float, float]]:
    """For a small plot of 100 by 24: x, and the heights of production and of the version."""
    highest = max((*figure.before, *figure.after, 0.0)) or 1.0
    width = 100 / max(len(figure.before), 1)
    return [
        (round(index * width, 2), round(24 * a / highest, 2), round(24 * b / highest, 2))
        for index, (a, b) in enumerate(zip(figure.before, figure.after, strict=True))
    ]


def _plots(evidence: Evidence) -> list[tuple[str, str]]:
    """Two plots, SVG, each with its caption: agreement of every column, and recall by form."""
    figures = [figure for figure in evidence.fidelity if figure.shape is not None]
    plots = []
    if figures:
        plots.append(("Agreement with production: a dot for each column and relation", _agreement(evidence, figures)))
    if evidence.canaries.forms:
        plots.append(("Planted values that the scan finds, by form", _recall(evidence)))
    return plots


def _agreement(evidence: Evidence, figures: list[Figure]) -> str:
    names = sorted({figure.contract for figure in figures}, reverse=True)
    fig, axes = _axes(1.2 + 0.26 * len(names))
    groups = (
        ("o", "#2f7dd1", "as it should be", [f for f in figures if f.judged and not f.reasons]),
        ("o", "#9aa4b2", "too few to judge", [f for f in figures if not f.judged and not f.reasons]),
        ("X", "#d1432f", "not good enough", [f for f in figures if f.reasons]),
    )
    for marker, colour, label, group in groups:
        if group:
            axes.scatter(
                [f.shape for f in group],
                [names.index(f.contract) for f in group],
                marker=marker,
                color=colour,
                label=label,
                s=42 if marker == "X" else 22,
                alpha=0.75,
                linewidths=0,
                zorder=3,
            )
    axes.axvline(evidence.thresholds.fidelity.shape, color="#d1432f", linestyle="--", linewidth=1, zorder=2)
    lowest = min([f.shape or 0 for f in figures] + [evidence.thresholds.fidelity.shape])
    axes.set(xlim=(max(lowest - 0.05, -0.02), 1.01), ylim=(-0.7, len(names) - 0.3), xlabel="agreement (1: the same)")
    axes.set_yticks(range(len(names)), names)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, labelcolor="#7b8794")
    return _svg(fig)


def _recall(evidence: Evidence) -> str:
    forms = sorted(evidence.canaries.forms.items(), reverse=True)
    fig, axes = _axes(0.9 + 0.3 * len(forms))
    shares = [found / planted if planted else 0.0 for _, (found, planted) in forms]
    colours = ["#2f9e63" if share == 1 else "#d1432f" for share in shares]
    axes.barh([name for name, _ in forms], shares, color=colours, height=0.6, zorder=3)
    for index, (_, (found, planted)) in enumerate(forms):
        axes.text(0.02, index, f"{found} of {planted}", va="center", color="#ffffff", fontsize=9, zorder=4)
    axes.set(xlim=(0, 1.01), xlabel="share found")
    return _svg(fig)


def _axes(height: float):  # type: ignore[no-untyped-def]
    """A plot without a background, in colours that are read on light and on dark."""
    from matplotlib.figure import Figure as Plot

    fig = Plot(figsize=(8.4, height), layout="constrained")
    axes = fig.subplots()
    fig.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors="#7b8794", labelsize=9, length=0)
    axes.xaxis.label.set_color("#7b8794")
    axes.grid(axis="x", color="#7b8794", alpha=0.25, linewidth=0.8)
    return fig, axes


def _svg(fig) -> str:  # type: ignore[no-untyped-def]
    """The drawing alone, the same bytes for the same figures."""
    import io

    import matplotlib

    held = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "testenv", "svg.fonttype": "none", "font.family": "sans-serif"}):
        fig.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    text = held.getvalue()
    return text[text.index("<svg") :]
