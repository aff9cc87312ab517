//! `dsno describe`: a network layer by layer, before or after it has weights.

use dsno_checkpoint::CheckpointFormat;
use dsno_operator::{Description as Layers, Family, NetworkConfig, OperatorConfig};
use serde_json::json;

use super::list::print_json;
use crate::args::DescribeArgs;
use crate::console::say;
use crate::failure::{Failure, While};
use crate::import::{self, Format};
use crate::model::{CARD, Description};

/// Carries out the verb.
pub(super) fn run(args: &DescribeArgs) -> Result<(), Failure> {
    let path = &args.model;
    if args.times == Some(0) {
        return Err(Failure::usage("--times is 0, expected at least 1"));
    }
    let description = described(args)?;
    let place = path.display();
    let resized = |network: NetworkConfig| match args.image_size {
        Some(size) => network.with_image_size(size).or_usage(&place),
        None => Ok(network),
    };
    match description {
        Description::Student(student) => {
            let times = args.times.unwrap_or(student.times.len());
            let network = resized(student.operator.network)?;
            let temporal = student.operator.temporal;
            let operator = OperatorConfig { network, temporal };
            let layers = operator.describe(times).or_usage(&place)?;
            print(args, "student", &operator.network, &layers)
        }
        Description::Teacher(teacher) => {
            let network = resized(teacher.network)?;
            let layers = network.describe(args.times.unwrap_or(1));
            print(args, "teacher", &network, &layers)
        }
    }
}

/// What a model folder says, what the files of a diffusers model say, or what a file describes.
fn described(args: &DescribeArgs) -> Result<Description, Failure> {
    let path = &args.model;
    let is_model = path.join(CARD).is_file() && args.format.is_none();
    let format = args
        .format
        .or_else(|| import::detect(path).filter(|_| !is_model));
    let mut given = import::Given {
        image_size: args.image_size,
        ..import::Given::default()
    };
    if path.is_dir() {
        return match format {
            Some(Format::Diffusers) => import::describe_given(Format::Diffusers, path, &given),
            _ => Description::read(path),
        };
    }
    if !path.is_file() {
        let path = path.display();
        return Err(Failure::preflight(format!("no file or folder {path}")));
    }
    let format = format.unwrap_or(Format::Safetensors);
    // Of a diffusers model the weights say what it is, by the files beside them.
    let is_weights = CheckpointFormat::of_file(path).is_some();
    if is_weights && format != Format::Diffusers {
        return Err(Failure::usage(format!(
            "{} holds weights; give the file that describes their network",
            path.display()
        )));
    }
    given.file = (!is_weights).then_some(path);
    import::describe_given(format, path, &given)
}

fn print(
    args: &DescribeArgs,
    kind: &str,
    network: &NetworkConfig,
    described: &Layers,
) -> Result<(), Failure> {
    let (family, times) = (network.family(), described.times);
    let (shape, classes) = (network.image_shape(), network.classes());
    if !args.json {
        let heading = heading(kind, family, shape, classes);
        let plural = if times == 1 { "" } else { "s" };
        say!("{heading}, one sample at {times} time{plural} per pass\n");
        say!("{}", described.to_string().trim_end());
        return Ok(());
    }
    let layers = described.rows.iter().map(|row| {
        json!({
            "name": row.name, "layer": row.layer, "output": row.output,
            "parameters": row.parameters, "multiply_adds": row.multiply_adds,
        })
    });
    let mut text = json!({
        "kind": kind, "family": family.name, "image_shape": shape, "classes": classes,
        "times": times, "parameters": described.parameters(),
        "multiply_adds": described.multiply_adds(), "layers": layers.collect::<Vec<_>>(),
    });
    if family != Family::OWN {
        let weights = network.weight_shapes().into_iter();
        let weights = weights.map(|(name, shape)| json!({ "name": name, "shape": shape }));
        text["weights"] = weights.collect();
    }
    print_json(&text)
}

fn heading(kind: &str, family: Family, shape: [usize; 3], classes: usize) -> String {
    let [c, h, w] = shape;
    let classes = match classes {
        0 => "no classes".to_owned(),
        n => format!("{n} classes"),
    };
    format!("{kind} of family `{family}`, images of {c}×{h}×{w}, {classes}")
}
