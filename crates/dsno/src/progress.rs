//! Progress of long work: a bar on a terminal, plain lines elsewhere.

use std::fmt::Write;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use dsno_train::{Notice, Observer, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::human;
use crate::console::note;
use crate::interrupt::Interrupt;

/// Time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A bar that redraws itself.
    Bar,
    /// A line every ten seconds.
    Lines,
}

impl Style {
    /// A bar if standard error is a terminal, else lines.
    pub(crate) fn detect() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Bar
        } else {
            Self::Lines
        }
    }
}

/// Shows how far one stage is, with its rate and the time left.
#[derive(Debug)]
pub(crate) struct Meter {
    label: String,
    unit: &'static str,
    bar: Option<ProgressBar>,
    style: Style,
    started: Instant,
    /// What was already done when this process began, so that a resumed stage has a true rate.
    done_before: Option<u64>,
    last_line: Instant,
    interrupt: Interrupt,
}

impl Meter {
    /// A meter that has not moved; nothing is shown before the first update.
    pub(crate) fn new(
        label: &str,
        unit: &'static str,
        style: Style,
        interrupt: &Interrupt,
    ) -> Self {
        let now = Instant::now();
        let bar = (style == Style::Bar).then(|| {
            let template = "{prefix:>18} {bar:28} {percent:>3}% {msg}";
            let bar = ProgressBar::new(0).with_prefix(label.to_owned());
            bar.set_style(
                ProgressStyle::with_template(template)
                    .unwrap_or_else(|_template| ProgressStyle::default_bar())
                    .progress_chars("━╸─"),
            );
            bar
        });
        Self {
            label: label.to_owned(),
            unit,
            bar,
            style,
            started: now,
            done_before: None,
            last_line: now,
            interrupt: interrupt.clone(),
        }
    }

    /// Says that `done` of `total` are done; `note` is shown at the end of the line.
    pub(crate) fn update(&mut self, done: u64, total: u64, note: &str) {
        let before = *self.done_before.get_or_insert(done);
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = (done - before.min(done)) as f64 / seconds.max(1e-3);
        let text = self.text(done, total, rate, note);
        match self.style {
            Style::Bar => {
                if let Some(bar) = &self.bar {
                    bar.set_length(total);
                    bar.set_position(done);
                    bar.set_message(text);
                }
            }
            Style::Lines if self.last_line.elapsed() >= LINE_INTERVAL => {
                self.last_line = Instant::now();
                let percent = done * 100 / total.max(1);
                note!("  {}: {percent}% {text}", self.label);
            }
            Style::Lines => {}
        }
    }

    /// As [`Self::update`]; breaks if the user asked to stop.
    pub(crate) fn advance(&mut self, done: u64, total: u64, note: &str) -> ControlFlow<()> {
        self.update(done, total, note);
        if self.stop_requested() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn text(&self, done: u64, total: u64, rate: f64, note: &str) -> String {
        let mut text = format!("{done}/{total} {}", self.unit);
        if rate > 0.0 {
            let left = Duration::from_secs_f64((total.saturating_sub(done)) as f64 / rate);
            let _ = write!(text, ", {rate:.1}/s, {} left", human(left));
        }
        if !note.is_empty() {
            let _ = write!(text, ", {note}");
        }
        text
    }

    /// Whether the user asked to stop.
    pub(crate) fn stop_requested(&self) -> bool {
        self.interrupt.is_requested()
    }
}

impl Observer for Meter {
    fn progress(&mut self, progress: &Progress) {
        let note = progress
            .loss
            .map_or(String::new(), |loss| format!("loss {loss:.4}"));
        self.update(progress.images, progress.total_images, &note);
    }

    fn notice(&mut self, notice: &Notice) {
        note!("  {}: {notice}", self.label);
    }

    fn stop_requested(&self) -> bool {
        self.interrupt.is_requested()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
