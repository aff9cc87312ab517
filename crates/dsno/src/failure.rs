//! How the program ends when it does not succeed: one sentence and an exit code.

use std::error::Error;
use std::fmt::Display;

/// A reason to stop, with the exit code that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

/// The exit codes of the program, apart from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 1: something failed while running.
    Run,
    /// 2: the command line or the configuration is wrong.
    Usage,
    /// 3: something that the run needs is not there.
    Preflight,
}

impl Failure {
    /// Something failed while running (exit code 1).
    pub(crate) fn run(message: impl Display) -> Self {
        Self {
            kind: Kind::Run,
            message: message.to_string(),
        }
    }

    /// The command line or a configuration file is wrong (exit code 2).
    pub(crate) fn usage(message: impl Display) -> Self {
        Self {
            kind: Kind::Usage,
            message: message.to_string(),
        }
    }

    /// Something that the run needs is not there (exit code 3).
    pub(crate) fn preflight(message: impl Display) -> Self {
        Self {
            kind: Kind::Preflight,
            message: message.to_string(),
        }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self.kind {
            Kind::Run => 1,
            Kind::Usage => 2,
            Kind::Preflight => 3,
        }
    }

    /// What is printed after `error: `.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// Joins an error and its sources into one sentence, without saying anything twice.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string().trim().replace('\n', " ");
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string().trim().replace('\n', " ");
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = inner.source();
    }
    text
}

impl From<dsno_model::SampleError> for Failure {
    fn from(error: dsno_model::SampleError) -> Self {
        match error {
            dsno_model::SampleError::Grid(_) => Self::usage(sentence(&error)),
            _ => Self::run(sentence(&error)),
        }
    }
}

/// Turns errors of the libraries into failures of the program, saying what was being done.
pub(crate) trait While<T> {
    /// A failure at run time (exit code 1): `doing: error`.
    fn while_doing(self, doing: impl Display) -> Result<T, Failure>;

    /// A wrong configuration (exit code 2): `place: error`.
    fn or_usage(self, place: impl Display) -> Result<T, Failure>;

    /// A missing need (exit code 3): `place: error`.
    fn or_preflight(self, place: impl Display) -> Result<T, Failure>;
}

impl<T, E: Error> While<T> for Result<T, E> {
    fn while_doing(self, doing: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::run(format!("{doing}: {}", sentence(&error))))
    }

    fn or_usage(self, place: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::usage(format!("{place}: {}", sentence(&error))))
    }

    fn or_preflight(self, place: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::preflight(format!("{place}: {}", sentence(&error))))
    }
}
