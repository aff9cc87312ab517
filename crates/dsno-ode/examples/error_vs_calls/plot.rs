//! Log–log panels in SVG: a row for each grid, with solvers that remember earlier steps on the right.

use std::fmt::Write;

use super::{BUDGETS, Series};

const PANEL: (f64, f64) = (330.0, 330.0);
const LABELS: f64 = 150.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 50.0;
/// Decades of the error axis.
const ERRORS: (i32, i32) = (-6, 0);
const LINE_HEIGHT: f64 = 14.0;
const COLOURS: [&str; 8] = [
    "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#e08214", "#17becf", "#c2348f", "#8c564b",
];
/// Variants that lie beside the line of another solver; they are in the tables.
const LEFT_OUT: [&str; 9] = [
    "dpm-solver-2m",
    "dpm-solver++-3m-halved",
    "unipc-2-bh1",
    "unipc-3-bh1",
    "deis-2-time",
    "deis-3-time",
    "deis-2-rho",
    "deis-3-rho",
    "deis-2-log-rho",
];

/// Draws a row per grid; solvers of first order and the adaptive one are in both of its panels.
pub(super) fn draw(rows: &[(String, Vec<Series>)]) -> String {
    let width = LEFT + 2.0 * (PANEL.0 + LABELS);
    let row_height = TOP + PANEL.1 + BOTTOM;
    let height = rows.len() as f64 * row_height;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let panels = [("one step at a time", false), ("remembering steps", true)];
    for (row, (grid, series)) in rows.iter().enumerate() {
        let top = TOP + row as f64 * row_height;
        for (column, (family, is_multistep)) in panels.into_iter().enumerate() {
            let corner = (LEFT + column as f64 * (PANEL.0 + LABELS), top);
            let shown = |line: &&Series| {
                let in_both = line.order == 1 || line.name == "dopri5";
                let is_drawn = !LEFT_OUT.contains(&line.name.as_str());
                is_drawn && (in_both || line.is_multistep == is_multistep)
            };
            axes(&mut svg, corner, &format!("{grid}: {family}"), column == 0);
            let lines: Vec<&Series> = series.iter().filter(shown).collect();
            panel(&mut svg, corner, &lines);
        }
    }
    svg + "</svg>\n"
}

fn panel(svg: &mut String, (left, top): (f64, f64), lines: &[&Series]) {
    let mut colours = COLOURS.iter().cycle();
    let mut labels = Vec::new();
    for line in lines {
        let colour = match (line.order, line.name.as_str()) {
            (1, _) => "#888888",
            (_, "dopri5") => "#000000",
            _ => colours.next().copied().unwrap_or("#000000"),
        };
        let (low, high) = (10f64.powi(ERRORS.0), 10f64.powi(ERRORS.1));
        let inside = line.errors.iter();
        let inside = inside.filter(|(_, error)| (low..=high).contains(error));
        let places: Vec<(f64, f64)> = inside
            .map(|&(calls, error)| (left + x(calls), top + y(error)))
            .collect();
        let path: String = places
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1} "))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>",
            path.trim_end()
        );
        for (x, y) in &places {
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\" fill=\"{colour}\"/>"
            );
        }
        if let Some(&(x, y)) = places.last() {
            labels.push((x, y, line.name.as_str(), colour));
        }
    }
    write_labels(svg, (left, top), labels);
}

/// Writes the names beside the ends of their lines, moved apart where they would overlap.
fn write_labels(
    svg: &mut String,
    (left, top): (f64, f64),
    mut labels: Vec<(f64, f64, &str, &str)>,
) {
    labels.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut heights: Vec<f64> = labels.iter().map(|label| label.1).collect();
    for i in 1..heights.len() {
        heights[i] = heights[i].max(heights[i - 1] + LINE_HEIGHT);
    }
    // What was pushed out below moves the rest up.
    let mut lowest = top + PANEL.1;
    for height in heights.iter_mut().rev() {
        *height = height.min(lowest);
        lowest = *height - LINE_HEIGHT;
    }
    let text = left + PANEL.0 + 22.0;
    for ((x, y, name, colour), height) in labels.into_iter().zip(heights) {
        let (start, end) = (x + 3.0, text - 3.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{start:.1}\" y1=\"{y:.1}\" x2=\"{end:.1}\" y2=\"{height:.1}\" \
             stroke=\"{colour}\" stroke-width=\"0.5\"/>\n\
             <text x=\"{text:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>",
            height + 4.0
        );
    }
}

/// Draws grid and title; the first panel has the scale of the errors.
fn axes(svg: &mut String, (left, top): (f64, f64), title: &str, is_first: bool) {
    let (right, bottom) = (left + PANEL.0, top + PANEL.1);
    for exponent in ERRORS.0..=ERRORS.1 {
        let at = top + y(10f64.powi(exponent));
        let _ = writeln!(
            svg,
            "<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>"
        );
        if is_first {
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">1e{exponent}</text>",
                left - 6.0,
                at + 4.0
            );
        }
    }
    for calls in [5, 10, 20, 35, 70, 140, 200] {
        let at = left + x(calls);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#eeeeee\"/>\n\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{calls}</text>",
            bottom + 16.0
        );
    }
    let middle = left + PANEL.0 / 2.0;
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">model calls</text>",
        top - 12.0,
        bottom + 34.0
    );
    if is_first {
        let (x, y) = (14.0, top + PANEL.1 / 2.0);
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" transform=\"rotate(-90 {x} {y})\">\
             error of the samples</text>"
        );
    }
}

/// Distance from the left edge of a panel.
fn x(calls: usize) -> f64 {
    let (first, last) = (BUDGETS[0] as f64, BUDGETS[BUDGETS.len() - 1] as f64);
    PANEL.0 * (calls as f64 / first).ln() / (last / first).ln()
}

/// Distance from the upper edge of a panel.
fn y(error: f64) -> f64 {
    let (low, high) = (f64::from(ERRORS.0), f64::from(ERRORS.1));
    PANEL.1 * (high - error.log10()) / (high - low)
}
