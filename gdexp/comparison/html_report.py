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
from gdexp.comparison.summary import left_out_lines, repeat_commands, summary_lines
from gdexp.comparison.tables import Table, differences_table, running_time_table, threshold_table

MOST_ROWS = 200
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def html_page(comparison: Comparison, pictures: Sequence[Picture]) -> str:
    """Return the report as HTML.

    Args:
        comparison: the compared runs.
        pictures: its pictures; plotly.js, which is inside the page, draws them.
    """
    note = html.escape(DIFFERENT_THRESHOLDS_NOTE)
    body = [
        _answer(comparison),
        _left_out(comparison),
        f"<p class=note>{note}</p>" if comparison.thresholds_differ else "",
        "<h2>What differs</h2>",
        html_table(differences_table(comparison, MOST_ROWS), "id=differences"),
        "<h2>Iterations to each threshold</h2>",
        "<p class=note>In brackets the continuous hitting time; - was not reached.</p>",
        html_table(threshold_table(comparison, MOST_ROWS, fraction=True)),
        _seeds(comparison),
    ]
    return report_page("gdexp comparison", _title(comparison), "\n".join(body), pictures)


def report_page(kind: str, title: str, body: str, pictures: Sequence[Picture]) -> str:
    """Return a report as one HTML file that needs nothing else.

    Args:
        kind: above the title.
        title: of the page.
        body: HTML of what comes before the pictures, escaped; a table with the id `differences`
            can be sorted.
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
        charts="".join(_section(picture) for picture in pictures),
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


def _answer(comparison: Comparison) -> str:
    rows = "".join(
        f"<div><dt>{_escape(name)}</dt><dd>{_headline(value) if name == 'best' else _lines(value)}"
        "</dd></div>"
        for name, value in summary_lines(comparison)
    )
    commands = "\n".join(repeat_commands(comparison))
    again = f"<p>Repeat the best with</p><pre>{_escape(commands)}</pre>" if commands else ""
    return f"<dl>{rows}</dl>{again}"


def _left_out(comparison: Comparison) -> str:
    lines = left_out_lines(comparison)
    items = "".join(f"<li>{_escape(line)}</li>" for line in lines)
    return f"<p>Left out:</p><ul>{items}</ul>" if lines else ""


def _seeds(comparison: Comparison) -> str:
    table = running_time_table(comparison, MOST_ROWS)
    if table is None:
        return ""
    note = "All iterations spent, failures included, divided by the seeds that reached it."
    return f"<h2>Expected running time</h2><p class=note>{note}</p>{html_table(table)}"


def html_table(table: Table, attributes: str = "") -> str:
    """Return a table as HTML, escaped."""
    head = "".join(f"<th scope=col>{_escape(heading)}</th>" for heading in table.headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{_escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    more = f"<p class=note>{table.more:,} more runs are not shown.</p>" if table.more else ""
    return (
        f"<div class=scroll><table {attributes}><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>{more}"
    )


def _section(picture: Picture) -> str:
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


def _headline(value: str) -> str:
    """Return the count in large letters and the details in brackets in small ones."""
    count, _, details = value.partition(" (")
    return f"<strong>{_escape(count)}</strong> {_escape(details.removesuffix(')'))}"


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
