//! The report for people: one HTML file that needs nothing else.

use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dsno_eval::evaluation::{Evaluation, Figure, Measured};
use dsno_eval::metric::Column;
use dsno_eval::spectrum::Spectrum;

use super::chart::{Chart, Series, escape};
use super::curve::Curve;
use super::{Source, shown, style};
use crate::clock::human;
use crate::experiment::StudentPlan;
use crate::gallery::{FOLDER, Spectra};

/// What the page shows.
pub(super) struct Page<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) evaluation: Option<&'a Evaluation>,
    pub(super) spectra: Option<Spectra>,
    pub(super) curves: &'a [Curve],
}

impl Page<'_> {
    /// The whole page.
    pub(super) fn html(&self) -> String {
        let experiment = &self.source.resolved.experiment;
        let (name, about) = (escape(&experiment.name), escape(&experiment.about));
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{name}</title><style>{}</style></head><body>\
             <h1>{name}</h1><p class=\"about\">{about}</p>\n",
            style::SHEET
        );
        html += &self.samplers();
        html += &self.grids();
        html += &self.strips();
        html += &self.spectrum();
        html += &self.losses();
        html += &self.stages();
        html += &self.origin();
        html + "</body></html>\n"
    }

    fn samplers(&self) -> String {
        let Some(evaluation) = self.evaluation else {
            return String::new();
        };
        let mut html = "<h2>Samplers</h2><div class=\"scroll\"><table><tr><th>sampler</th>\
            <th>model calls</th><th>U-Net passes</th><th>images/s</th><th>latency, batch 1</th>\
            "
        .to_owned();
        for column in &evaluation.columns {
            let _ = write!(html, "<th>{}</th>", escape(&column.title));
        }
        html += "</tr>";
        for sampler in &evaluation.samplers {
            html += &row(sampler, &evaluation.columns);
        }
        html += "</table></div>";
        let sets = |figure: &&Figure| figure.space.is_some();
        let figures = evaluation.samplers.first().map(|s| s.figures.values());
        let distance = figures.into_iter().flatten().find(sets);
        let (samples, reference, seeds) = distance.map_or((0, 0, 0), |f| {
            (
                f.samples,
                f.reference_samples.unwrap_or_default(),
                f.seeds.len(),
            )
        });
        let _ = write!(
            html,
            "<p class=\"note\">Distances between sets are measured in <b>{}</b>: the Fréchet distance \
             is not FID and cannot be compared with published FID values. Each value is the mean over {seeds} \
             seed{} of {samples} samples against {reference} real images; <code>data</code> \
             compares other real images with the same ones and is the floor. \
             Paired errors compare each image with the teacher's endpoint from the same held-out \
             noise.</p>",
            escape(&evaluation.space),
            if seeds == 1 { "" } else { "s" }
        );
        let is_ours = |s: &&Measured| s.name == StudentPlan::MAIN;
        if let Some(dsno) = evaluation.samplers.iter().find(is_ours) {
            let _ = write!(
                html,
                "<p class=\"note\">One call of the operator gives all its times at once and costs \
                 as many multiply-adds as {:.2} passes of the teacher's U-Net, so the fair rival \
                 is the teacher with about that many steps, not with one.</p>",
                dsno.unet_passes
            );
        }
        html
    }

    fn grids(&self) -> String {
        let mut figures = self.figure("teacher", "teacher, as trajectories were collected");
        for student in &self.source.resolved.students {
            let caption = format!("{}, one call, same noise", student.name);
            figures += &self.figure(&student.name, &caption);
        }
        figures += &self.figure("data", "real images");
        if figures.is_empty() {
            return figures;
        }
        format!("<h2>Samples</h2><div class=\"grids\">{figures}</div>")
    }

    fn strips(&self) -> String {
        let mut names = vec!["teacher"];
        let students = self.source.resolved.students.iter();
        names.extend(students.map(|student| student.name.as_str()));
        let caption = format!(
            "rows in turn: {}; columns: the noise, then each time down to the image",
            names.join(", ")
        );
        let figure = self.figure("strips", &caption);
        section("Trajectories from held-out noise", &figure)
    }

    fn figure(&self, name: &str, caption: &str) -> String {
        let folder = self.source.folder.join(FOLDER);
        let path = folder.join(format!("{name}.png"));
        let Ok(bytes) = std::fs::read(path) else {
            return String::new();
        };
        let caption = escape(caption);
        format!(
            "<figure><figcaption>{caption}</figcaption>\
             <img alt=\"{caption}\" src=\"data:image/png;base64,{}\"></figure>",
            STANDARD.encode(bytes)
        )
    }

    fn spectrum(&self) -> String {
        let Some(spectra) = &self.spectra else {
            return String::new();
        };
        let series = |spectrum: &Spectrum| Series {
            label: format!("{} ({} times)", spectrum.name, spectrum.times.len()),
            points: spectrum
                .shares
                .iter()
                .enumerate()
                .map(|(k, s)| (k as f64, *s))
                .collect(),
        };
        let chart = |title: &str, series: Vec<Series>| {
            Chart {
                title: title.to_owned(),
                x_label: "temporal frequency".to_owned(),
                y_label: "share of energy".to_owned(),
                log_y: true,
                series,
            }
            .svg()
        };
        format!(
            "<h2>Spectrum of trajectories in time</h2><p class=\"note\">Energy of pixels over the \
             discrete frequency of their trajectory, noise to image. Little energy at high \
             frequencies is why few Fourier modes suffice.</p>{}{}",
            chart("The teacher on its own grid", vec![series(&spectra.fine)]),
            chart(
                "At the student's times",
                spectra.coarse.iter().map(series).collect()
            ),
        )
    }

    fn losses(&self) -> String {
        let times = self.times();
        let charts = self.curves.iter().map(|curve| curve.chart(&times));
        section("Training", &charts.collect::<String>())
    }

    fn times(&self) -> Vec<f64> {
        let recipe = self.source.resolved.experiment.collect.as_ref();
        recipe
            .map(|r| r.record.iter().copied().filter(|t| *t < 1.0).collect())
            .unwrap_or_default()
    }

    fn stages(&self) -> String {
        let mut html =
            "<h2>Stages</h2><table><tr><th>stage</th><th>time</th><th></th></tr>".to_owned();
        for stage in self.source.stages {
            let name = escape(&stage.name);
            let time = human(Duration::from_secs_f64(stage.seconds));
            let note = if stage.skipped { "done before" } else { "" };
            let _ = write!(
                html,
                "<tr><td>{name}</td><td>{time}</td><td>{note}</td></tr>"
            );
        }
        html + "</table>"
    }

    fn origin(&self) -> String {
        let mut html = "<h2>Provenance</h2><table class=\"plain\">".to_owned();
        for (label, value) in self.source.provenance.rows() {
            let value = escape(&value);
            let _ = write!(html, "<tr><td>{label}</td><td>{value}</td></tr>");
        }
        let text = escape(&self.source.resolved.text());
        html + &format!("</table><h2>Experiment</h2><pre>{text}</pre>")
    }
}

/// What there is under a heading of its own; nothing where there is nothing.
fn section(title: &str, html: &str) -> String {
    if html.is_empty() {
        return String::new();
    }
    format!("<h2>{title}</h2>{html}")
}

fn row(sampler: &Measured, columns: &[Column]) -> String {
    let is_ours = sampler.name == StudentPlan::MAIN;
    let (mut rate, mut latency) = ("–".to_owned(), "–".to_owned());
    // Reading an image back from memory is no sampling.
    if sampler.nfe > 0 {
        rate = format!("{:.1}", sampler.images_per_second);
        latency = format!("{:.2} ms", sampler.latency_seconds * 1e3);
    }
    let mut html = format!(
        "<tr{}><td>{}</td><td>{}</td><td>{:.2}</td><td>{rate}</td><td>{latency}</td>",
        if is_ours { " class=\"ours\"" } else { "" },
        escape(&sampler.name),
        sampler.nfe,
        sampler.unet_passes,
    );
    for column in columns {
        let value = sampler.value(column);
        let unit = if value.is_some() { &column.unit } else { "" };
        let text = format!("{} {unit}", shown(value, column));
        let seeds = sampler.seed_values(column).into_iter();
        let seeds: Vec<String> = seeds.map(|v| shown(Some(v), column)).collect();
        let (text, seeds) = (escape(text.trim_end()), seeds.join(", "));
        let _ = write!(html, "<td title=\"each seed: {seeds}\">{text}</td>");
    }
    html + "</tr>"
}
