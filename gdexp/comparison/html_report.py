"""The report of a comparison: one HTML file that needs no network and no other file.

Names and params of runs are untrusted: everything is escaped, and a content security policy
forbids the page to load anything.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path

from gdexp.comparison.comparison import DIFFERENT_THRESHOLDS_NOTE, Comparison
from gdexp.comparison.figure_model import Images, Picture
from gdexp.comparison.plotly_figures import plotly_json
from gdexp.comparison.reported import has_curves
from gdexp.comparison.short_tables import fewest_table, params_table
from gdexp.comparison.summary import (
    answer,
    left_out_lines,
    repeat_commands,
    repeat_title,
    summary_lines,
)
from gdexp.comparison.tables import (
    SIDE_BY_SIDE,
    Table,
    differences_table,
    running_time_table,
    threshold_table,
)
from gdexp.core import format_count

MOST_ROWS = 200
FIRST_CHARTS = ("loss", "iterations_by_lr")
"""The charts that stand before all tables."""

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def html_page(comparison: Comparison, pictures: Sequence[Picture]) -> str:
    """Return the report as HTML.

    Args:
        comparison: the compared runs.
        pictures: its pictures; plotly.js, which is inside the page, draws them.
    """
    by_name = {picture.name: html_chart(picture) for picture in pictures}
    first = "".join(by_name.pop(name, "") for name in FIRST_CHARTS)
    fewest = by_name.pop("fewest", "")
    body = _file("comparison.html").format(
        answer=_escape(answer(comparison)),
        facts=_facts(comparison),
        left_out=_left_out(comparison),
        note=f"<p class=note>{html.escape(DIFFERENT_THRESHOLDS_NOTE)}</p>"
        if comparison.thresholds_differ
        else "",
        first=first,
        fewest=fewest,
        thresholds=html_table(fewest_table(comparison)) if has_curves(comparison.runs) else "",
        differs=_differs(comparison),
        charts="".join(by_name.values()),
        tables=_long_tables(comparison),
    )
    return report_page("gdexp comparison", _title(comparison), body, pictures)


def report_page(kind: str, title: str, body: str, pictures: Sequence[Picture]) -> str:
    """Return a report as one HTML file that needs nothing else.

    Args:
        kind: above the title.
        title: of the page.
        body: HTML, escaped; it holds `html_chart` of each picture, and may hold tables.
        pictures: plotly.js, which is inside the page, draws them.
    """
    from plotly.offline import get_plotlyjs

    figures = {
        f"{picture.name}-{i}": figure
        for picture in pictures
        for i, figure in enumerate(plotly_json(picture))
    }
    return _file("page.html").format(
        policy=html.escape(POLICY),
        kind=html.escape(kind),
        title=html.escape(title),
        style=_file("page.css"),
        body=body,
        figures=_json(figures),
        plotly=get_plotlyjs().replace("</script", r"<\/script"),
        script=_file("page.js"),
    )


def is_report(path: Path) -> bool:
    """Return whether a file is a report that `html_page` made."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return html.escape(POLICY).encode() in file.read(1000)


def _title(comparison: Comparison) -> str:
    if comparison.sweep is not None:
        return comparison.sweep.name or comparison.sweep.short
    names = dict.fromkeys(run.name or run.short for run in comparison.runs)
    if len(names) <= 3:
        return ", ".join(names)
    return f"{len(comparison.runs):,} runs"


def _facts(comparison: Comparison) -> str:
    rows = "".join(
        f"<div><dt>{_escape(name)}</dt><dd>{_lines(value)}</dd></div>"
        for name, value in summary_lines(comparison)
        if name != "with"  # the answer has it
    )
    commands = "\n".join(repeat_commands(comparison))
    title = repeat_title(comparison).capitalize()
    again = f"<p>{title}</p><pre>{_escape(commands)}</pre>" if commands else ""
    return f"<dl>{rows}</dl>{again}"


def _left_out(comparison: Comparison) -> str:
    lines = left_out_lines(comparison)
    items = "".join(f"<li>{_escape(line)}</li>" for line in lines)
    return f"<p>Left out:</p><ul>{items}</ul>" if lines else ""


def _differs(comparison: Comparison) -> str:
    """Return what differs: of a few runs side by side, of many the values of each param."""
    if _is_short(comparison):
        return html_table(differences_table(comparison, MOST_ROWS))
    if not comparison.params:
        return "<p class=note>No param differs.</p>"
    return html_table(params_table(comparison))


def _long_tables(comparison: Comparison) -> str:
    """Return the tables with a row for each run, folded."""
    folded = []
    seeds = running_time_table(comparison, MOST_ROWS)
    if seeds is not None:
        note = f"All {comparison.cost_name} spent, failures included, divided by the seeds that "
        note += "reached it."
        folded.append(_folded("Expected running time", seeds, note))
    if not _is_short(comparison):
        every = differences_table(comparison, MOST_ROWS)
        folded.append(_folded("Every run: params and metrics", every, ""))
    if not has_curves(comparison.runs):
        return "".join(folded)
    note = "In brackets the continuous hitting time; - was not reached; >= was not continued."
    times = threshold_table(comparison, MOST_ROWS, fraction=True)
    heading = f"Every run: {comparison.cost_name} to each threshold"
    folded.append(_folded(heading, times, note))
    return "".join(folded)


def _is_short(comparison: Comparison) -> bool:
    return comparison.sweep is None and len(comparison.runs) <= SIDE_BY_SIDE


def _folded(title: str, table: Table, note: str) -> str:
    count = format_count(len(table.rows), "row")
    words = f"<p class=note>{_escape(note)}</p>" if note else ""
    return (
        f"<details><summary>{_escape(title)} <span class=note>{count}</span></summary>"
        f"{words}{html_table(table)}</details>"
    )


def html_table(table: Table) -> str:
    """Return a table as HTML, escaped; a click on a heading sorts it."""
    head = "".join(
        f"<th scope=col><button>{_escape(heading)}</button></th>" for heading in table.headings
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{_escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    more = (
        f"<p class=note>{table.more:,} more runs are in runs.csv and thresholds.csv.</p>"
        if table.more
        else ""
    )
    return (
        f"<div class=scroll><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>{more}"
    )


def html_chart(picture: Picture) -> str:
    """Return the place of a picture in a page, with its title and note."""
    note = f"<p class=note>{_escape(picture.note)}</p>" if picture.note else ""
    places = f'<div id="chart-{_escape(picture.name)}-0"></div>'
    if isinstance(picture, Images):
        panels = "".join(
            f"<figure><figcaption>{_escape(name)}</figcaption>"
            f'<div id="chart-{_escape(picture.name)}-{i}"></div></figure>'
            for i, (name, _) in enumerate(picture.panels)
        )
        places = f'<div class="panels">{panels}</div>'
    return f"<section><h2>{_escape(picture.title)}</h2>{places}{note}</section>"


def _lines(value: str) -> str:
    return "<br>".join(_escape(line) for line in value.splitlines())


def _escape(value: str) -> str:
    return html.escape(value)


def _json(value: object) -> str:
    """Return JSON that cannot end a script element."""
    dumped = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return dumped.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
