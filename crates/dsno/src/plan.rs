//! Which stages an experiment has, and the key of each.

use std::fs;
use std::path::Path;

use dsno_checkpoint::digest::sha256_file;
use dsno_data::DatasetSpec;
use serde::Serialize;

use crate::experiment::{DataSettings, Features, Import, Load, Resolved, TeacherSource};
use crate::failure::{Failure, While};
use crate::home::Home;
use crate::import;
use crate::ledger::{Key, Ledger};

/// Names of stages, which are also names of stage files.
pub(crate) mod name {
    pub(crate) const TEACHER: &str = "teacher";
    pub(crate) const COLLECT: &str = "collect";
    pub(crate) const DISTILL: &str = "distill";
    pub(crate) const SAMPLE: &str = "sample";
    pub(crate) const EVALUATE: &str = "evaluate";
    pub(crate) const REPORT: &str = "report";
}

/// Keys of all stages, in the order in which they run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) spec: DatasetSpec,
    pub(crate) data: Key,
    pub(crate) teacher: Key,
    /// One per student, in the order of [`Resolved::students`].
    pub(crate) students: Vec<Key>,
    pub(crate) features: Option<Key>,
    stages: Vec<(String, Key)>,
}

/// One line of a plan.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Step {
    pub(crate) stage: String,
    pub(crate) key: String,
    pub(crate) done: bool,
}

impl Plan {
    /// The plan of an experiment. Files that a key depends on are digested; where they are missing
    /// the key says so, so that a plan can be shown before they are there.
    pub(crate) fn new(resolved: &Resolved, home: &Home, device: &str) -> Result<Self, Failure> {
        let experiment = &resolved.experiment;
        let (spec, data) = data(&experiment.data, home)?;
        let seed = experiment.seed;
        let teacher = match &experiment.teacher {
            TeacherSource::Load(Load { path }) => {
                let folder = home.resolve(path);
                let files = ["model.toml", "model.safetensors"];
                Key::of("load", &files.map(|file| digest(&folder.join(file))), &[])
            }
            source @ TeacherSource::Import(Import { path, format, .. }) => {
                let files = import::files(*format, &home.resolve(path));
                let digests: Vec<String> = files.iter().map(|file| digest(file)).collect();
                Key::of("import", &(source, digests), &[])
            }
            source @ TeacherSource::Train(_) => Key::of("train", &(source, seed), &[&data]),
        };
        let collect = experiment
            .collect
            .as_ref()
            .map(|r| Key::of("collect", &(r, seed), &[&teacher]));
        let students: Vec<Key> = resolved
            .students
            .iter()
            .zip(collect.iter().cycle())
            .map(|(s, collect)| {
                Key::of(
                    "distill",
                    &(&s.settings, &s.distill, seed),
                    &[&teacher, collect],
                )
            })
            .collect();
        let models: Vec<&Key> = [&teacher]
            .into_iter()
            .chain(&collect)
            .chain(&students)
            .collect();
        let names: Vec<&str> = resolved.students.iter().map(|s| s.name.as_str()).collect();
        let sample = experiment.sample.as_ref().map(|settings| {
            let teacher_steps = experiment
                .evaluate
                .as_ref()
                .map(|e| (&e.teacher, &e.endpoint));
            Key::of("sample", &(settings, seed, teacher_steps, &names), &models)
        });
        let features = experiment
            .evaluate
            .as_ref()
            .map(|settings| features(&settings.features, home));
        let evaluate =
            experiment
                .evaluate
                .as_ref()
                .zip(features.as_ref())
                .map(|(settings, key)| {
                    let inputs: Vec<&Key> = models.iter().copied().chain([&data, key]).collect();
                    Key::of("evaluate", &(settings, device, &names), &inputs)
                });
        let shown: Vec<&Key> = models
            .iter()
            .copied()
            .chain(&sample)
            .chain(&evaluate)
            .collect();
        let about = (&experiment.name, &experiment.about, &names);
        let report = Key::of("report", &about, &shown);

        let mut stages = vec![(name::TEACHER.to_owned(), teacher.clone())];
        stages.extend(
            collect
                .iter()
                .map(|key| (name::COLLECT.to_owned(), key.clone())),
        );
        let distilled = resolved.students.iter().zip(&students);
        stages.extend(distilled.map(|(student, key)| (student.stage(), key.clone())));
        stages.extend(
            sample
                .iter()
                .map(|key| (name::SAMPLE.to_owned(), key.clone())),
        );
        stages.extend(
            evaluate
                .iter()
                .map(|key| (name::EVALUATE.to_owned(), key.clone())),
        );
        stages.push((name::REPORT.to_owned(), report));
        Ok(Self {
            spec,
            data,
            teacher,
            students,
            features,
            stages,
        })
    }

    /// The same plan without the stages after `last`; of students, all stay.
    pub(crate) fn until(mut self, last: Option<&str>) -> Self {
        let Some(last) = last else { return self };
        let is_last = |stage: &str| stage == last || stage.starts_with(&format!("{last}-"));
        if let Some(index) = self.stages.iter().rposition(|(stage, _)| is_last(stage)) {
            self.stages.truncate(index + 1);
        }
        self
    }

    /// Names and keys of the stages, in the order in which they run.
    pub(crate) fn stages(&self) -> &[(String, Key)] {
        &self.stages
    }

    /// What there is to do and what is done.
    pub(crate) fn steps(&self, ledger: &Ledger) -> Vec<Step> {
        let step = |(stage, key): &(String, Key)| Step {
            stage: stage.clone(),
            key: key.short().to_owned(),
            done: ledger.is_done(stage, key),
        };
        self.stages.iter().map(step).collect()
    }
}

/// The specification of a data set and the key of its images.
pub(crate) fn data(settings: &DataSettings, home: &Home) -> Result<(DatasetSpec, Key), Failure> {
    let file = home
        .resolve("datasets")
        .join(format!("{}.toml", settings.set));
    if !file.is_file() {
        return Err(Failure::usage(format!(
            "data.set is `{}`, expected one of {}",
            settings.set,
            home.datasets().join(", ")
        )));
    }
    let spec = DatasetSpec::load(&file)
        .or_usage("the data set")?
        .averaged_to(settings.image_size);
    let root = home.resolve(&settings.root);
    // Files whose digest is not known count by name and size.
    let listing = if spec.files.is_empty() {
        listing(&root, &spec)
    } else {
        Vec::new()
    };
    let key = Key::of("data", &(&spec, listing), &[]);
    Ok((spec, key))
}

/// Entries of the folder that a set without digests is read from, down to one sub-folder.
fn listing(root: &Path, spec: &DatasetSpec) -> Vec<(String, u64)> {
    let dsno_data::Format::ImageFolder { path } = &spec.format else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    let mut folders = vec![root.join(path)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry
                    .path()
                    .strip_prefix(root)
                    .map(|p| p.display().to_string());
                entries.push((name.unwrap_or_default(), metadata.len()));
            }
        }
    }
    entries.sort();
    entries
}

fn features(features: &Features, home: &Home) -> Key {
    let files: Vec<String> = match features {
        Features::Classifier { path } => {
            let mut files: Vec<_> = fs::read_dir(home.resolve(path))
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| {
                    path.extension()
                        .is_some_and(|e| e == "safetensors" || e == "toml")
                })
                .collect();
            files.sort();
            files.iter().map(|path| digest(path)).collect()
        }
        Features::Pixels { .. } => Vec::new(),
        Features::Inception { weights, reference } => [weights, reference]
            .map(|path| digest(&home.resolve(path)))
            .to_vec(),
    };
    Key::of("features", &(features, files), &[])
}

fn digest(path: &Path) -> String {
    sha256_file(path).unwrap_or_else(|_unreadable| "missing".to_owned())
}
