//! Checks of an experiment that its types cannot make.

use std::collections::BTreeSet;
use std::fmt::Display;

use dsno_model::TeacherArchitecture;

use super::{
    EvaluateSettings, Experiment, Features, SampleSettings, StudentPlan, TeacherSource, Train,
};
use crate::failure::sentence;
use dsno_model::Solve;

impl Experiment {
    /// Checks that the sections make sense together.
    ///
    /// # Errors
    ///
    /// A sentence that names the key, what it is and what was expected.
    pub(crate) fn validate(&self) -> Result<(), String> {
        is_name("name", &self.name)?;
        let needs = [
            (
                self.distill.is_some() && self.collect.is_none(),
                "distill",
                "collect",
            ),
            (
                self.distill.is_some() && self.student.is_none(),
                "distill",
                "student",
            ),
            (
                self.student.is_some() && self.distill.is_none(),
                "student",
                "distill",
            ),
            (
                !self.ablation.is_empty() && self.distill.is_none(),
                "ablation",
                "distill",
            ),
            (
                self.sample.is_some() && self.collect.is_none() && self.evaluate.is_none(),
                "sample",
                "collect` or `evaluate",
            ),
        ];
        if let Some((_, section, missing)) = needs.into_iter().find(|(broken, ..)| *broken) {
            return Err(format!("section `{section}` needs a section `{missing}`"));
        }
        self.validate_teacher()?;
        if let Some(recipe) = &self.collect {
            recipe
                .validate()
                .map_err(|error| format!("collect: {}", sentence(&error)))?;
        }
        if let Some(settings) = &self.distill {
            settings
                .recipe
                .validate()
                .map_err(|error| format!("distill: {}", sentence(&error)))?;
        }
        self.sample
            .as_ref()
            .map_or(Ok(()), SampleSettings::validate)?;
        self.evaluate
            .as_ref()
            .map_or(Ok(()), EvaluateSettings::validate)?;
        let mut names = BTreeSet::from([StudentPlan::MAIN, "data"]);
        for ablation in &self.ablation {
            is_name("ablation.name", &ablation.name)?;
            if !names.insert(&ablation.name) || ablation.name.starts_with("teacher") {
                return Err(format!(
                    "ablation.name `{}` is already a sampler",
                    ablation.name
                ));
            }
        }
        Ok(())
    }

    fn validate_teacher(&self) -> Result<(), String> {
        let architecture = match &self.teacher {
            TeacherSource::Load(_) => return Ok(()),
            TeacherSource::Train(Train {
                architecture,
                recipe,
                ..
            }) => {
                recipe
                    .validate()
                    .map_err(|error| format!("teacher.recipe: {}", sentence(&error)))?;
                &TeacherArchitecture::Unet {
                    architecture: architecture.clone(),
                    prediction: recipe.prediction,
                }
            }
            TeacherSource::Import(import) => match &import.teacher {
                Some(teacher) => &teacher.architecture,
                None => return Ok(()),
            },
        };
        architecture
            .validate()
            .map_err(|error| format!("teacher.architecture: {}", sentence(&error)))?;
        let student = self.student.as_ref();
        student.map_or(Ok(()), |student| student.network(architecture).map(drop))
    }
}

impl SampleSettings {
    fn validate(&self) -> Result<(), String> {
        at_least("sample.count", self.count, 1)?;
        at_least("sample.columns", self.columns, 1)?;
        at_most("sample.strips", self.strips, self.count, "sample.count")
    }
}

impl EvaluateSettings {
    fn validate(&self) -> Result<(), String> {
        at_least("evaluate.samples", self.samples, 2)?;
        at_least("evaluate.seeds (its length)", self.seeds.len(), 1)?;
        at_least("evaluate.batch_size", self.batch_size, 1)?;
        at_least("evaluate.latency_repeats", self.latency_repeats, 1)?;
        at_most(
            "evaluate.paired",
            self.paired,
            self.samples,
            "evaluate.samples",
        )?;
        unique("evaluate.seeds", &self.seeds)?;
        let solves = self.solves();
        for steps in solves.iter().chain(&self.endpoint).map(|s| s.steps) {
            at_least("evaluate.teacher.steps", steps, 1)?;
        }
        let names: Vec<String> = solves.iter().map(Solve::name).collect();
        unique("evaluate.teacher (its samplers)", &names)?;
        match &self.features {
            Features::Pixels { size } => at_least("evaluate.features.size", *size, 1),
            Features::Classifier { .. } | Features::Inception { .. } => Ok(()),
        }
    }
}

fn is_name(key: &str, name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(format!(
        "{key} is `{name}`, expected small letters, digits and dashes"
    ))
}

fn at_least(key: &str, found: usize, least: usize) -> Result<(), String> {
    if found >= least {
        Ok(())
    } else {
        Err(format!("{key} is {found}, expected at least {least}"))
    }
}

fn at_most(key: &str, found: usize, most: usize, why: &str) -> Result<(), String> {
    if found <= most {
        Ok(())
    } else {
        Err(format!("{key} is {found}, expected at most {most} ({why})"))
    }
}

fn unique<T: Ord + Display>(key: &str, values: &[T]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match values.iter().find(|value| !seen.insert(*value)) {
        Some(twice) => Err(format!("{key} has {twice} twice")),
        None => Ok(()),
    }
}
