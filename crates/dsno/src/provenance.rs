//! Where a run comes from: `provenance.json`.

use std::process::Command;

use dsno_checkpoint::atomic::write_atomic;
use serde::Serialize;

use crate::clock;
use crate::device::Backend;
use crate::experiment::Resolved;
use crate::failure::{Failure, While};
use crate::folder::RunFolder;
use crate::home::Home;

/// Version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Version of burn that the workspace pins.
const BURN: &str = "0.22.1";

/// What made a run, as far as it can be known.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Provenance {
    experiment: String,
    seed: u64,
    overrides: Vec<String>,
    version: &'static str,
    burn: &'static str,
    /// Commit of the checkout that the program runs in; absent outside of one.
    commit: Option<String>,
    /// Whether that checkout has changes that are not committed.
    dirty: Option<bool>,
    features: Vec<&'static str>,
    device: String,
    platform: String,
    threads: usize,
    started: String,
    finished: Option<String>,
}

impl Provenance {
    /// Of a run that begins now.
    pub(crate) fn begin(resolved: &Resolved, device: &str, home: &Home) -> Self {
        let git = |arguments: &[&str]| {
            let output = Command::new("git")
                .arg("-C")
                .arg(home.path())
                .args(arguments)
                .output();
            let output = output.ok().filter(|output| output.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        Self {
            experiment: resolved.experiment.name.clone(),
            seed: resolved.experiment.seed,
            overrides: resolved.overrides.iter().map(ToString::to_string).collect(),
            version: VERSION,
            burn: BURN,
            commit: git(&["rev-parse", "HEAD"]),
            dirty: git(&["status", "--porcelain", "--untracked-files=no"]).map(|s| !s.is_empty()),
            features: Backend::compiled(),
            device: device.to_owned(),
            platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            started: clock::now(),
            finished: None,
        }
    }

    /// Writes the file; `finished` says that the run has come to its end.
    pub(crate) fn write(&mut self, folder: &RunFolder, finished: bool) -> Result<(), Failure> {
        self.finished = finished.then(clock::now);
        let text = serde_json::to_vec_pretty(self).while_doing("writing provenance.json")?;
        write_atomic(folder.join("provenance.json"), &text).while_doing("writing provenance.json")
    }

    /// Pairs of label and value, for the report.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let commit = match (&self.commit, self.dirty) {
            (Some(commit), Some(true)) => format!("{commit} with uncommitted changes"),
            (Some(commit), _) => commit.clone(),
            (None, _) => "unknown".to_owned(),
        };
        let overrides = match self.overrides.join("; ") {
            none if none.is_empty() => "none".to_owned(),
            some => some,
        };
        vec![
            ("experiment", self.experiment.clone()),
            ("seed", self.seed.to_string()),
            ("overrides", overrides),
            ("dsno", format!("{} ({commit})", self.version)),
            ("burn", self.burn.to_owned()),
            (
                "device",
                format!("{} (built with {})", self.device, self.features.join(", ")),
            ),
            (
                "platform",
                format!("{}, {} threads", self.platform, self.threads),
            ),
            ("started", self.started.clone()),
        ]
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_of_burn_is_the_one_that_is_pinned() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
        let text = std::fs::read_to_string(manifest).unwrap();
        assert!(text.contains(&format!("burn = {{ version = \"={}\"", super::BURN)));
    }
}
