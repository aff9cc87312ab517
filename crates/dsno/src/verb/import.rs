//! `dsno import`: weights of another program become a model folder.

use crate::args::ImportArgs;
use crate::console::say;
use crate::failure::Failure;
use crate::import::{Given, Source, check_output, describe_given, files};

/// Carries out the verb.
pub(super) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let source = Source {
        path: args.file.clone(),
        format: args.format,
        weights: args.weights,
    };
    source.check()?;
    let mut inputs = files(source.format, &source.path);
    inputs.extend(args.arch.clone());
    let folder = source.path.is_dir().then_some(source.path.as_path());
    check_output(&args.out, &inputs, folder, args.force)?;
    let given = Given {
        file: args.arch.as_deref(),
        times: args.times.as_deref(),
        image_size: args.image_size,
    };
    let description = describe_given(source.format, &source.path, &given)?;
    source.import(&description, &args.out)?;
    say!("{}", args.out.display());
    Ok(())
}
