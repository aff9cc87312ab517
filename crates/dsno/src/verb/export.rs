//! `dsno export`: the weights of a model folder, for other programs.

use std::fs::{self, File};
use std::path::Path;

use dsno_checkpoint::atomic::write_atomic_with;
use dsno_checkpoint::{StateDict, Weights};
use dsno_model::{Student, Teacher};
use dsno_operator::interop::{ImportError, dsno_pytorch};
use dsno_operator::{Family, UNetConfig};

use crate::args::{ExportArgs, ExportFormat, Names};
use crate::console::say;
use crate::failure::{Failure, While, sentence};
use crate::model::{CARD, Model, WEIGHTS};
use crate::output::is_same_file;
use crate::session::Session;

/// Carries out the verb.
pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    if args.format == ExportFormat::DsnoPytorch && args.names == Names::Ours {
        return Err(Failure::usage(
            "--names ours is for safetensors; the authors' program reads its own names only",
        ));
    }
    check_output(args)?;
    let device = Session::new(args.device.device.clone()).open_device()?;
    let (family, own, weights) = match Model::load(&args.model, &device)? {
        Model::Student(Student {
            config, network, ..
        }) => (
            config.network.family(),
            config.as_unet(),
            network.state_dict(),
        ),
        Model::Teacher(Teacher {
            config, network, ..
        }) => {
            let own = config.as_unet().map(|(own, _)| own.clone());
            (config.family(), own, network.state_dict())
        }
    };
    let weights = match own {
        Some(architecture) => named(args, weights, &architecture)?,
        None => original(args, family, weights)?,
    };
    write(args.format, &weights, &args.out)
        .while_doing(format!("exporting {}", args.model.display()))?;
    say!("{}", args.out.display());
    Ok(())
}

/// Refuses a file of the model itself, and tries whether the file can be written.
fn check_output(args: &ExportArgs) -> Result<(), Failure> {
    let out = &args.out;
    let place = out.display();
    let own = [CARD, WEIGHTS].map(|name| args.model.join(name));
    if own.iter().any(|own| own == out || is_same_file(own, out)) {
        return Err(Failure::usage(format!(
            "--out {place} is a file of the model that is exported; give another"
        )));
    }
    let is_of_model = [CARD, WEIGHTS].iter().any(|name| out.ends_with(name));
    if is_of_model && out.with_file_name(CARD).exists() {
        return Err(Failure::usage(format!(
            "--out {place} is a file of another model; give another"
        )));
    }
    if out.exists() && !out.is_file() {
        return Err(Failure::usage(format!(
            "--out {place} is no file; give the name of one"
        )));
    }
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(Failure::preflight(format!(
            "no folder {folder} to write --out {place} in"
        )));
    }
    let name = out.file_name().unwrap_or_default().display();
    let trial = folder.join(format!(".{name}.{}-0.tmp", std::process::id()));
    let tried = File::create(&trial).and_then(|_| fs::remove_file(&trial));
    tried.or_preflight(format!("cannot write --out {place}"))
}

/// Our own network under the names that are asked for.
fn named(
    args: &ExportArgs,
    weights: StateDict,
    architecture: &UNetConfig,
) -> Result<StateDict, Failure> {
    if args.names == Names::Ours {
        return Ok(weights);
    }
    dsno_pytorch::rename(weights, architecture).map_err(|error| {
        let text = format!("exporting {}: {}", args.model.display(), sentence(&error));
        match error {
            ImportError::Foreign { .. } => Failure::usage(format!("{text}; --names ours has all")),
            _ => Failure::run(text),
        }
    })
}

/// A network of another family has the names of its own program.
fn original(args: &ExportArgs, family: Family, weights: StateDict) -> Result<StateDict, Failure> {
    if args.format == ExportFormat::DsnoPytorch {
        return Err(Failure::usage(format!(
            "{} is a network of family `{family}`, which the DSNO authors' program does not have; export it as safetensors",
            args.model.display()
        )));
    }
    Ok(weights)
}

fn write(
    format: ExportFormat,
    weights: &StateDict,
    out: &Path,
) -> Result<(), dsno_checkpoint::atomic::WriteError> {
    write_atomic_with(out, |file| match format {
        ExportFormat::Safetensors => Weights::Named(weights).write(file),
        ExportFormat::DsnoPytorch => dsno_checkpoint::to_torch(weights, file),
    })
}
