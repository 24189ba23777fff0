"use strict";
// Draws the figures in the colours of the page, and sorts its tables.
const figures = JSON.parse(document.getElementById("figures").textContent);
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function themed(layout) {
  const shown = {
    ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: {color: colour("--text"), family: "system-ui, sans-serif", size: 12},
    modebar: {bgcolor: "rgba(0,0,0,0)", color: colour("--dim"), activecolor: colour("--accent")},
    hoverlabel: {bgcolor: colour("--card"), font: {color: colour("--text")}},
  };
  for (const key of Object.keys(layout).filter(key => /^[xy]axis/.test(key))) {
    shown[key] = {
      ...layout[key], gridcolor: colour("--line"), zerolinecolor: colour("--line"),
      linecolor: colour("--line"), automargin: true,
    };
  }
  return shown;
}

function draw() {
  for (const [name, figure] of Object.entries(figures)) {
    Plotly.react("chart-" + name, figure.data, themed(figure.layout), {
      responsive: true, displaylogo: false,
      displayModeBar: figure.layout.xaxis.visible === false ? false : "hover",
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    });
  }
}
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

// A cell as a number where it is one: "1,200", ">= 2", "3 (2.41)"; else its text.
const value = text => {
  const found = /^(?:>= )?(-?[\d,]*\.?\d+(?:e[-+]?\d+)?)(?: \(.*\))?$/i.exec(text);
  return found ? Number(found[1].replaceAll(",", "")) : text;
};
const before = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0)
  : typeof a === "number" ? -1 : 1;

function sort(heading) {
  const rising = heading.getAttribute("aria-sort") !== "ascending";
  const headings = [...heading.parentElement.cells], column = headings.indexOf(heading);
  headings.forEach(other => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
  const body = heading.closest("table").tBodies[0];
  const cell = row => value(row.cells[column].textContent);
  const rows = [...body.rows].sort((a, b) => before(cell(a), cell(b)));
  body.append(...(rising ? rows : rows.reverse()));
}
document.querySelectorAll("th button").forEach(button =>
  button.addEventListener("click", () => sort(button.parentElement)));
