//! `dsno import`: weights of another program become a model folder.

use crate::args::ImportArgs;
use crate::failure::Failure;
use crate::import;
use crate::session::Session;

/// Carries out the verb.
pub(super) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let device = Session::new(args.device.device.clone()).open_device()?;
    import::from_files(&args.file, &args.format, &args.arch, &args.out, &device)?;
    println!("{}", args.out.display());
    Ok(())
}
