//! `dsno import`: weights of another program become a model folder.

use crate::args::ImportArgs;
use crate::failure::Failure;
use crate::import::{Source, describe};

/// Carries out the verb.
pub(super) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let source = Source {
        path: args.file.clone(),
        format: args.format,
        weights: args.weights,
    };
    source.check()?;
    let (arch, times) = (args.arch.as_deref(), args.times.as_deref());
    let description = describe(source.format, arch, &source.path, times)?;
    source.import(&description, &args.out)?;
    println!("{}", args.out.display());
    Ok(())
}
