//! `dsno datasets`: which data sets there are, and their images as files.

use std::fs;
use std::path::{Path, PathBuf};

use dsno_data::picture::Uint8Images;
use dsno_data::{DataError, DatasetSpec, ImageSet, Survey};
use serde_json::{Value, json};

use super::list::print_json;
use crate::args::{DatasetsArgs, DatasetsVerb, ExportImagesArgs};
use crate::console::{note, say};
use crate::failure::{Failure, While, sentence};
use crate::home::Home;
use crate::output::check_empty_folder;

/// Digits of the number in a picture's name, at least.
const DIGITS: usize = 5;

/// Carries out the verb.
pub(super) fn run(args: &DatasetsArgs) -> Result<(), Failure> {
    match &args.verb {
        None => list(args.json),
        Some(DatasetsVerb::Export(args)) => export(args),
    }
}

/// Lists the data sets: their images, or what is missing or wrong. One that is wrong does not keep the
/// others from being listed.
fn list(as_json: bool) -> Result<(), Failure> {
    let home = Home::find();
    let mut list = Vec::new();
    for name in home.datasets() {
        let (entry, line) = describe(&home, &name);
        if !as_json {
            say!("{name:<20} {line}");
        }
        list.push(entry);
    }
    if as_json { print_json(&list) } else { Ok(()) }
}

/// A data set for programs and for people.
fn describe(home: &Home, name: &str) -> (Value, String) {
    let root = home.resolve("datasets");
    let spec = match DatasetSpec::load(root.join(format!("{name}.toml"))) {
        Ok(spec) => spec,
        Err(error) => {
            let error = sentence(&error);
            return (
                json!({ "name": name, "error": error }),
                format!("error: {error}"),
            );
        }
    };
    let missing = spec.missing_files(&root);
    let survey = missing.is_empty().then(|| spec.survey(&root));
    let line = match &survey {
        None => format!("missing: {}", spec.obtain),
        Some(Err(error)) => format!("error: {}", sentence(error)),
        Some(Ok(survey)) => {
            let notice = survey.notice().map(|notice| format!("; {notice}"));
            format!("{survey}{}", notice.unwrap_or_default())
        }
    };
    let mut entry = json!({
        "name": name, "licence": spec.licence, "source": spec.source,
        "missing": missing, "obtain": spec.obtain,
    });
    match survey {
        None => {}
        Some(Err(error)) => entry["error"] = json!(sentence(&error)),
        Some(Ok(Survey {
            images,
            classes,
            unread,
        })) => {
            let classes = classes.into_iter();
            let classes = classes.map(|(name, images)| json!({ "name": name, "images": images }));
            entry["images"] = json!(images);
            entry["classes"] = classes.collect();
            entry["unread"] = json!(unread);
        }
    }
    (entry, line)
}

/// Writes every image as a PNG file.
fn export(args: &ExportImagesArgs) -> Result<(), Failure> {
    let home = Home::find();
    let Some(found) = home.dataset(&args.name) else {
        return Err(Failure::usage(format!(
            "no data set `{}`; there are: {}",
            args.name,
            home.datasets().join(", ")
        )));
    };
    let spec = DatasetSpec::load(&found.file).or_usage("the data set")?;
    let spec = match args.size {
        Some(side) => spec.averaged_to(side),
        None => spec,
    };
    check_empty_folder("the folder", &args.folder)?;
    let root = match &args.root {
        Some(root) => root.clone(),
        None => found.base.join("datasets"),
    };
    let survey = spec.survey(&root).map_err(|error| refused(&error))?;
    let images = spec.open(&root).map_err(|error| refused(&error))?;
    if let Some(notice) = survey.notice() {
        note!("{}: {notice}", spec.name);
    }
    let folders = match images.labels() {
        Some(labels) => class_folders(&args.folder, &names(&spec, &survey, labels)),
        None => vec![args.folder.clone()],
    };
    for folder in &folders {
        fs::create_dir_all(folder).while_doing(format!("cannot create {}", folder.display()))?;
    }
    let digits = (images.len() - 1).to_string().len().max(DIGITS);
    for index in 0..images.len() {
        let class = images.labels().map_or(0, |labels| labels[index] as usize);
        let path = folders[class].join(format!("{index:0digits$}.png"));
        fs::write(&path, png(&images, index)?).while_doing(path.display())?;
    }
    say!("{}: {survey}, in {}", spec.name, args.folder.display());
    Ok(())
}

/// Names of the classes; numbers where they have none.
fn names(spec: &DatasetSpec, survey: &Survey, labels: &[u32]) -> Vec<String> {
    if !spec.class_names.is_empty() {
        return spec.class_names.clone();
    }
    if !survey.classes.is_empty() {
        let classes = survey.classes.iter();
        return classes.map(|(name, _)| name.clone()).collect();
    }
    let largest = labels.iter().max().copied().unwrap_or_default();
    (0..=largest).map(|class| class.to_string()).collect()
}

/// A size that images cannot be brought to is a wrong setting, anything else a missing need.
fn refused(error: &DataError) -> Failure {
    let text = format!("the data set: {}", sentence(error));
    match error {
        DataError::Average { .. } | DataError::Pad { .. } => Failure::usage(text),
        _ => Failure::preflight(text),
    }
}

fn png(images: &ImageSet, index: usize) -> Result<Vec<u8>, Failure> {
    let shape = [1, images.channels(), images.height(), images.width()];
    Uint8Images::from_values(&images.image(index), shape)
        .and_then(|picture| picture.encode_png(0))
        .while_doing("writing a picture")
}

/// A folder for each class, named by it; with the number of the class in front where the order of the
/// names would not be that of the classes.
fn class_folders(folder: &Path, names: &[String]) -> Vec<PathBuf> {
    let safe = |name: &String| {
        let unsafe_in_paths = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
        let name = name.trim_start_matches('.').replace(unsafe_in_paths, "_");
        if name.is_empty() {
            "_".to_owned()
        } else {
            name
        }
    };
    let names: Vec<String> = names.iter().map(safe).collect();
    let numbers = names.iter().map(|name| name.parse::<u64>().ok());
    let numbers: Option<Vec<u64>> = numbers.collect();
    let in_order = match numbers {
        Some(numbers) => numbers.is_sorted_by(|a, b| a < b),
        None => names.is_sorted_by(|a, b| a < b),
    };
    let digits = names.len().saturating_sub(1).to_string().len();
    let numbered = names.iter().enumerate();
    numbered
        .map(|(class, name)| {
            folder.join(if in_order {
                name.clone()
            } else {
                format!("{class:0digits$}-{name}")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(names: &[&str]) -> Vec<PathBuf> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        class_folders(Path::new(""), &names)
    }

    #[test]
    fn folders_of_classes_sort_as_the_classes_do() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(folders(&["cat", "dog"]), paths(&["cat", "dog"]));
        assert_eq!(folders(&["dog", "cat"]), paths(&["0-dog", "1-cat"]));
        assert_eq!(folders(&["2", "10"]), paths(&["2", "10"]));
        assert_eq!(folders(&["a/b", "../c"]), paths(&["0-a_b", "1-_c"]));
    }
}
