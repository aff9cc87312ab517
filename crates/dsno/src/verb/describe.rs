//! `dsno describe`: a network layer by layer, before or after it has weights.

use std::path::Path;

use dsno_model::TeacherArchitecture;
use dsno_operator::UNetConfig;
use serde_json::json;

use super::list::print_json;
use crate::args::DescribeArgs;
use crate::failure::{Failure, While};
use crate::import;
use crate::model::Description;

/// Carries out the verb.
pub(super) fn run(args: &DescribeArgs) -> Result<(), Failure> {
    let path = &args.model;
    let description = if path.is_dir() {
        Description::read(path)?
    } else {
        if !path.is_file() {
            let path = path.display();
            return Err(Failure::preflight(format!("no file or folder {path}")));
        }
        import::describe(args.format, Some(path), path, None)?
    };
    match description {
        Description::Student(student) => {
            let times = args.times.unwrap_or(student.times.len());
            own(args, "student", student.architecture, times)
        }
        Description::Teacher(teacher) => match teacher.architecture {
            TeacherArchitecture::Unet { architecture, .. } => {
                let times = args.times.unwrap_or(1);
                own(args, "teacher", architecture, times)
            }
            foreign => other(args, &foreign),
        },
    }
}

/// Our own network: layers, shapes and costs.
fn own(
    args: &DescribeArgs,
    kind: &str,
    mut architecture: UNetConfig,
    times: usize,
) -> Result<(), Failure> {
    let place = args.model.display();
    if times == 0 {
        return Err(Failure::usage("--times is 0, expected at least 1"));
    }
    if let Some(size) = args.image_size {
        architecture.image_size = size;
    }
    let described = architecture.describe(times).or_usage(place)?;
    let size = architecture.image_size;
    let shape = [architecture.image_channels, size, size];
    if !args.json {
        let heading = heading(kind, "unet", shape, architecture.classes);
        let plural = if times == 1 { "" } else { "s" };
        println!("{heading}, one sample at {times} time{plural} per pass\n");
        println!("{}", described.to_string().trim_end());
        return Ok(());
    }
    let layers: Vec<_> = described
        .rows
        .iter()
        .map(|row| {
            json!({
                "name": row.name, "layer": row.layer, "output": row.output,
                "parameters": row.parameters, "multiply_adds": row.multiply_adds,
            })
        })
        .collect();
    print_json(&json!({
        "kind": kind, "family": "unet", "image_shape": shape, "classes": architecture.classes,
        "times": times, "parameters": described.parameters(),
        "multiply_adds": described.multiply_adds(), "layers": layers,
    }))
}

/// A network of another family: the tensors of its file.
fn other(args: &DescribeArgs, architecture: &TeacherArchitecture) -> Result<(), Failure> {
    let family = architecture.family();
    if args.times.is_some() || args.image_size.is_some() {
        return Err(Failure::usage(format!(
            "--times and --image-size are for our own network, this is of family `{family}`"
        )));
    }
    let place: &Path = &args.model;
    let parameters = architecture.parameter_count().or_usage(place.display())?;
    let shapes = match architecture {
        TeacherArchitecture::Diffusers(a) => a.weight_shapes().or_usage(place.display())?,
        TeacherArchitecture::Guided(a) => a.weight_shapes().or_usage(place.display())?,
        TeacherArchitecture::Edm(a) => a.weight_shapes().or_usage(place.display())?,
        _ => Vec::new(),
    };
    let (shape, classes) = (architecture.image_shape(), architecture.classes());
    if args.json {
        let weights: Vec<_> = shapes
            .iter()
            .map(|(name, shape)| json!({ "name": name, "shape": shape }))
            .collect();
        return print_json(&json!({
            "kind": "teacher", "family": family, "image_shape": shape, "classes": classes,
            "parameters": parameters, "weights": weights,
        }));
    }
    println!("{}\n", heading("teacher", family.name(), shape, classes));
    let width = shapes.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, shape) in shapes {
        println!("{name:width$}  {shape:?}");
    }
    println!("\n{parameters} parameters");
    Ok(())
}

fn heading(kind: &str, family: &str, shape: [usize; 3], classes: usize) -> String {
    let [c, h, w] = shape;
    let classes = match classes {
        0 => "no classes".to_owned(),
        n => format!("{n} classes"),
    };
    format!("{kind} of family `{family}`, images of {c}×{h}×{w}, {classes}")
}
