//! Line charts as inline SVG.

use std::fmt::Write;

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) label: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A chart; colours and fonts come from the page's style sheet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    /// Logarithmic vertical axis; values that are not positive are left out.
    pub(crate) log_y: bool,
    pub(crate) series: Vec<Series>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 44.0;
/// More points than this are invisible at this width.
const MAX_POINTS: usize = 600;

impl Chart {
    /// The chart as a `<figure>`, or nothing if no point can be drawn.
    pub(crate) fn svg(&self) -> String {
        let Some(frame) = Frame::around(&self.series, self.log_y) else {
            return String::new();
        };
        let title = escape(&self.title);
        let mut svg = format!(
            "<figure class=\"chart\"><figcaption>{title}</figcaption>\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
        );
        self.axes(&frame, &mut svg);
        let mut legend = String::new();
        for (index, series) in self.series.iter().enumerate() {
            let placed = thin(&series.points).filter_map(|point| frame.place(point));
            let points: Vec<String> = placed.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let (class, points) = (index % 6, points.join(" "));
            let _ = write!(
                svg,
                "<polyline class=\"line s{class}\" points=\"{points}\"/>"
            );
            let label = escape(&series.label);
            let _ = write!(legend, "<span><i class=\"s{class}\"></i>{label}</span>");
        }
        svg + "</svg><div class=\"legend\">" + &legend + "</div></figure>"
    }

    fn axes(&self, frame: &Frame, svg: &mut String) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for value in frame.y_ticks() {
            let Some((_, y)) = frame.place((frame.x.0, value)) else {
                continue;
            };
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                number(value)
            );
        }
        let mut points = self.series.iter().flat_map(|s| &s.points);
        let whole = points.all(|(x, _)| x.fract() == 0.0);
        let mut ticks = linear_ticks(frame.x);
        ticks.retain(|x| !whole || x.fract() == 0.0);
        for value in ticks {
            let x = frame.place_x(value);
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                number(value)
            );
        }
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\
             <text class=\"label\" x=\"{:.0}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text class=\"label\" transform=\"translate(14 {:.0}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(LEFT, right),
            HEIGHT - 8.0,
            escape(&self.x_label),
            f64::midpoint(TOP, bottom),
            escape(&self.y_label)
        );
    }
}

/// The ranges of both axes.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
    log_y: bool,
}

impl Frame {
    fn around(series: &[Series], log_y: bool) -> Option<Self> {
        let usable = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite() && (!log_y || *y > 0.0);
        let points = || {
            series
                .iter()
                .flat_map(|s| &s.points)
                .filter(|point| usable(point))
        };
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold(None, |range: Option<(f64, f64)>, v| {
                Some(range.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
            })
        };
        let x = range(&mut points().map(|p| p.0))?;
        let y = range(&mut points().map(|p| if log_y { p.1.log10() } else { p.1 }))?;
        let y = if log_y { (y.0.floor(), y.1.ceil()) } else { y };
        Some(Self {
            x: widen(x),
            y: widen(y),
            log_y,
        })
    }

    fn place_x(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let y = if self.log_y { y.log10() } else { y };
        let height = HEIGHT - TOP - BOTTOM;
        let placed = TOP + (self.y.1 - y) / (self.y.1 - self.y.0) * height;
        (placed.is_finite() && x.is_finite()).then(|| (self.place_x(x), placed))
    }

    fn y_ticks(&self) -> Vec<f64> {
        if !self.log_y {
            return linear_ticks(self.y);
        }
        let (low, high) = (self.y.0 as i32, self.y.1 as i32);
        let stride = ((high - low) / 6).max(1);
        let between: &[f64] = if high - low <= 2 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        (low..=high)
            .step_by(stride as usize)
            .flat_map(|power| between.iter().map(move |m| m * 10_f64.powi(power)))
            .filter(|value| value.log10() <= self.y.1)
            .collect()
    }
}

fn widen((low, high): (f64, f64)) -> (f64, f64) {
    if high > low {
        (low, high)
    } else {
        (low - 0.5, high + 0.5)
    }
}

/// Four to nine round numbers in a range.
fn linear_ticks((low, high): (f64, f64)) -> Vec<f64> {
    let raw = (high - low) / 5.0;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= raw);
    let step = step.unwrap_or(raw);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

fn thin(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    let stride = points.len().div_ceil(MAX_POINTS).max(1);
    let last = points
        .last()
        .filter(|_| !(points.len() - 1).is_multiple_of(stride));
    points.iter().step_by(stride).chain(last).copied()
}

/// A tick label: `0`, `0.25`, `40k`, `1.5M`, `1e-6`.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    let trim = |text: String| {
        if !text.contains('.') {
            return text;
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match magnitude {
        0.0 => "0".to_owned(),
        m if m >= 1e9 => format!("{value:.0e}"),
        m if m >= 1e6 => trim(format!("{:.2}", value / 1e6)) + "M",
        m if m >= 1e4 => trim(format!("{:.1}", value / 1e3)) + "k",
        m if m >= 1e-3 => trim(format!("{value:.4}")),
        _ => format!("{value:.0e}"),
    }
}

/// Text that is safe inside HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[(f64, f64)], log_y: bool) -> String {
        let series = vec![Series {
            label: "a<b".into(),
            points: points.to_vec(),
        }];
        let text = || "x".to_owned();
        Chart {
            title: text(),
            x_label: text(),
            y_label: text(),
            log_y,
            series,
        }
        .svg()
    }

    #[test]
    fn draws_whatever_can_be_drawn() {
        assert_eq!(chart(&[], false), "");
        assert_eq!(chart(&[(0.0, 0.0)], true), "");
        assert!(chart(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0)], true).contains("polyline"));
        assert!(chart(&[(0.0, 1.0)], false).contains("a&lt;b"));
        assert!(!chart(&[(0.0, 1.0), (5.0, 1e-9)], true).contains("NaN"));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            linear_ticks((0.0, 1.0)),
            [0.0, 0.2, 0.4, 3.0 * 0.2, 0.8, 1.0]
        );
        assert_eq!(
            ["40k", "1.5M", "1e-6", "0.25"],
            [4e4, 1.5e6, 1e-6, 0.25].map(number)
        );
    }

    #[test]
    fn long_curves_are_thinned_but_keep_both_ends() {
        let points: Vec<_> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        let kept: Vec<_> = thin(&points).collect();
        assert!(kept.len() <= MAX_POINTS + 1);
        assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[9_999]));
    }
}
