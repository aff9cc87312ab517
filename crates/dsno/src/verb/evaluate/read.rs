//! Reading one side of a comparison: what a path or a name stands for.

use std::path::Path;

use dsno_checkpoint::npy::{self, Array, Values};
use dsno_data::picture::Uint8Images;
use dsno_data::store::TrajectoryStore;
use dsno_data::{DatasetSpec, ImageSet};
use dsno_eval::{Classifier, Moments, read_reference};

use super::side::{Images, Side};
use crate::failure::{Failure, While};
use crate::home::Home;

/// Real images in `[-1, 1]` are not all positive with one above this; bytes as reals are.
const BYTES_ABOVE: f32 = 2.0;

/// Opens a file, a folder, or the data set of that name.
///
/// # Errors
///
/// A preflight failure if there is none of these; a usage failure if it is of a kind or shape
/// that cannot be compared; a failure at run time if it is damaged.
pub(super) fn open(
    path: &Path,
    features: Option<&Classifier>,
    home: &Home,
) -> Result<Side, Failure> {
    let place = format!("reading {}", path.display());
    if !path.exists() {
        return dataset(path, features, home);
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        _ if path.is_dir() => folder(path, features),
        Some("npy") => array(path),
        Some("npz") if is_statistics(path) => {
            Ok(Side::Statistics(read_reference(path).while_doing(place)?))
        }
        Some("npz") => {
            let pictures = Uint8Images::load_npz(path).while_doing(place)?;
            Ok(bytes(ImageSet::from_pictures(&pictures)))
        }
        _ => Err(Failure::usage(format!(
            "{} is neither a folder of images nor .npz nor .npy",
            path.display()
        ))),
    }
}

/// A data set of this project, at the size that the features are for.
fn dataset(name: &Path, features: Option<&Classifier>, home: &Home) -> Result<Side, Failure> {
    let Some(found) = name.to_str().and_then(|name| home.dataset(name)) else {
        return Err(Failure::preflight(format!(
            "no file or folder {0}, and no data set `{0}`; the data sets are {1}",
            name.display(),
            home.datasets().join(", ")
        )));
    };
    let place = format!("the data set `{}`", name.display());
    let root = found.base.join("datasets");
    let mut spec = DatasetSpec::load(found.file).or_usage(&place)?;
    if let Some(features) = features {
        spec = spec.averaged_to(features.config().image_size);
    }
    if let Some(missing) = spec.missing_files(&root).first() {
        return Err(Failure::preflight(format!(
            "{place} lacks {}; {}",
            missing.display(),
            spec.obtain
        )));
    }
    spec.open(&root).map(bytes).while_doing(place)
}

/// A trajectory store, or a folder of pictures.
fn folder(path: &Path, features: Option<&Classifier>) -> Result<Side, Failure> {
    let place = format!("reading {}", path.display());
    if path.join("zarr.json").is_file() {
        return store(path);
    }
    if path.join("spectrum.json").is_file() && path.join("noise.npy").is_file() {
        return Err(Failure::usage(format!(
            "{} is the samples folder of a run, whose pictures are sheets; give one of its arrays, for example {}",
            path.display(),
            path.join("teacher.npy").display()
        )));
    }
    let channels = features.map_or(3, |network| network.config().image_channels);
    ImageSet::from_folder(path, channels)
        .map(bytes)
        .while_doing(place)
}

/// The last states of a store, which must be images.
fn store(path: &Path) -> Result<Side, Failure> {
    let place = format!("reading {}", path.display());
    let store = TrajectoryStore::open(path).while_doing(&place)?;
    let last = store.spec().times.last().copied().unwrap_or(f64::NAN);
    if last != 0.0 {
        return Err(Failure::usage(format!(
            "the last states of {} are those at time {last}, expected images, which are those at time 0",
            path.display()
        )));
    }
    let shape = store.spec().shape;
    let image: usize = shape.iter().product();
    let mut values = Vec::with_capacity(store.len() * image);
    for index in 0..store.len() {
        let states = store.read(&[index]).while_doing(&place)?;
        values.extend_from_slice(&states[states.len() - image..]);
    }
    Ok(Side::Images(Images::Values(shape, values)))
}

/// An array of features, of images, or of bytes.
fn array(path: &Path) -> Result<Side, Failure> {
    let place = format!("reading {}", path.display());
    let wrong = |shape: &[usize]| {
        let shown = path.display();
        Failure::usage(match shape.len() {
            5 => format!(
                "{shown} holds trajectories, N×T×C×H×W; images are their last states, `x[:, -1]`"
            ),
            _ => format!(
                "{shown} has shape {shape:?}, expected features N×D, images N×C×H×W, or uint8 images N×H×W×C"
            ),
        })
    };
    let Array { shape, values } = npy::read(path).while_doing(&place)?;
    match (shape.as_slice(), values) {
        (&[n, dim], Values::F32(rows)) if n > 0 && dim > 0 => Ok(Side::Rows(dim, rows)),
        // Other rows are summed up as `f64`; rounded to `f32` they would lose digits.
        (&[n, dim], rows) if n > 0 && dim > 0 => {
            let rows = match rows {
                Values::F64(rows) => rows,
                _ => npy::read_f64(path).while_doing(&place)?.1,
            };
            let mut moments = Moments::new(dim);
            let summed = moments.push_batch(&rows).and_then(|()| moments.finish());
            Ok(Side::Statistics(summed.while_doing(&place)?))
        }
        (&[_, c, h, w], Values::F32(values)) => images(path, [c, h, w], values),
        (&[_, c, h, w], Values::F64(values)) => {
            let values = values.into_iter().map(|value| value as f32).collect();
            images(path, [c, h, w], values)
        }
        (&[_, _, _] | &[_, _, _, _], values @ Values::U8(_)) => {
            let array = Array { shape, values };
            let pictures = Uint8Images::from_array(array, path).or_usage(path.display())?;
            Ok(bytes(ImageSet::from_pictures(&pictures)))
        }
        _ => Err(wrong(&shape)),
    }
}

/// Images as reals, which must be in `[-1, 1]`, give or take what a sampler overshoots.
fn images(path: &Path, shape: [usize; 3], values: Vec<f32>) -> Result<Side, Failure> {
    let refused = |what: String| Failure::usage(format!("{} {what}", path.display()));
    if values.is_empty() {
        return Err(refused("holds no image".to_owned()));
    }
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(refused(format!("holds {value}, which is no pixel")));
    }
    let (least, most) = values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), &v| {
            (a.min(v), b.max(v))
        });
    if least >= 0.0 && most > BYTES_ABOVE {
        return Err(refused(format!(
            "holds values from {least} to {most}, expected images in [-1, 1]; bytes are written as uint8 N×H×W×C"
        )));
    }
    Ok(Side::Images(Images::Values(shape, values)))
}

/// Whether an archive holds `mu` and `sigma`.
fn is_statistics(path: &Path) -> bool {
    npy::read_npz_where(path, |name| name == "mu").is_ok_and(|arrays| !arrays.is_empty())
}

fn bytes(images: ImageSet) -> Side {
    Side::Images(Images::Bytes(images))
}
