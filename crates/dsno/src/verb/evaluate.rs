//! `dsno evaluate`: compares two sets, whatever form they come in.

use std::path::Path;

use burn::tensor::Device;
use dsno_checkpoint::npy;
use dsno_data::ImageSet;
use dsno_data::picture::Uint8Images;
use dsno_eval::{FeatureStatistics, Moments, frechet_distance, read_reference};
use serde_json::json;

use super::list::print_json;
use crate::args::EvaluateArgs;
use crate::evaluation::Extractor;
use crate::failure::{Failure, While};
use crate::session::Session;

/// Images per forward pass.
const BATCH: usize = 250;

/// Carries out the verb.
pub(super) fn run(args: &EvaluateArgs) -> Result<(), Failure> {
    if let Some(other) = args.metrics.iter().find(|metric| *metric != "frechet") {
        return Err(Failure::usage(format!(
            "this version does not compute `{other}`, expected --metrics frechet"
        )));
    }
    let session = Session::new(args.device.device.clone());
    let device = session.open_device()?;
    let extractor = args
        .features
        .as_ref()
        .map(|folder| Extractor::classifier(folder, &device))
        .transpose()?;
    let a = Side::open(&args.a, extractor.as_ref(), &device)?;
    let b = Side::open(&args.b, extractor.as_ref(), &device)?;
    if a.gaussian.dim() != b.gaussian.dim() {
        return Err(Failure::usage(format!(
            "{} has {} features and {} has {}, expected the same number",
            args.a.display(),
            a.gaussian.dim(),
            args.b.display(),
            b.gaussian.dim()
        )));
    }
    let value = frechet_distance(&a.gaussian, &b.gaussian).while_doing("comparing")?;
    let space = a
        .space
        .or(b.space)
        .unwrap_or_else(|| "the features given".to_owned());
    if args.json {
        return print_json(&json!({
            "frechet": { "space": space, "value": value, "samples": a.gaussian.count() },
            "reference_samples": b.gaussian.count(),
        }));
    }
    println!("Fréchet distance in {space}: {value:.6}");
    Ok(())
}

/// One side of the comparison.
struct Side {
    gaussian: FeatureStatistics,
    /// Where its features come from, if they were computed here.
    space: Option<String>,
}

impl Side {
    fn open(path: &Path, extractor: Option<&Extractor>, device: &Device) -> Result<Self, Failure> {
        if !path.exists() {
            return Err(Failure::preflight(format!(
                "no file or folder {}",
                path.display()
            )));
        }
        let place = format!("reading {}", path.display());
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension {
            Some("npy") => Self::features(path, &place),
            Some("npz") if is_statistics(path) => {
                let gaussian = read_reference(path).while_doing(place)?;
                Ok(Self {
                    gaussian,
                    space: None,
                })
            }
            Some("npz") => {
                let pictures = Uint8Images::load_npz(path).while_doing(&place)?;
                let images = ImageSet::from_pictures(&pictures);
                Self::images(&images, extractor, path, device)
            }
            _ if path.is_dir() => {
                let channels = match extractor {
                    Some(Extractor::Classifier(classifier)) => classifier.config().image_channels,
                    _ => 3,
                };
                let images = ImageSet::from_folder(path, channels).while_doing(&place)?;
                Self::images(&images, extractor, path, device)
            }
            _ => Err(Failure::usage(format!(
                "{} is neither a folder of images nor .npz nor .npy",
                path.display()
            ))),
        }
    }

    fn features(path: &Path, place: &str) -> Result<Self, Failure> {
        let (shape, values) = npy::read_f32(path).while_doing(place)?;
        let [_, dim] = shape[..] else {
            return Err(Failure::usage(format!(
                "{} has shape {shape:?}, expected features N×D",
                path.display()
            )));
        };
        let mut moments = Moments::new(dim);
        moments.push_batch(&values).while_doing(place)?;
        Ok(Self {
            gaussian: moments.finish().while_doing(place)?,
            space: None,
        })
    }

    fn images(
        images: &ImageSet,
        extractor: Option<&Extractor>,
        path: &Path,
        device: &Device,
    ) -> Result<Self, Failure> {
        let Some(extractor) = extractor else {
            return Err(Failure::usage(format!(
                "{} holds images; give a feature network with --features DIR",
                path.display()
            )));
        };
        extractor.check(images)?;
        let mut moments: Option<Moments> = None;
        let indices: Vec<usize> = (0..images.len()).collect();
        for batch in indices.chunks(BATCH) {
            let features = extractor.features(images.batch(batch, device))?;
            moments
                .get_or_insert_with(|| Moments::new(features.len() / batch.len()))
                .push_batch(&features)
                .while_doing("summing up features")?;
        }
        let moments = moments.unwrap_or_else(|| Moments::new(0));
        let gaussian = moments
            .finish()
            .while_doing(format!("summing up {}", path.display()))?;
        Ok(Self {
            gaussian,
            space: Some(extractor.space()),
        })
    }
}

/// Whether an archive holds `mu` and `sigma`.
fn is_statistics(path: &Path) -> bool {
    npy::read_npz(path).is_ok_and(|arrays| arrays.contains_key("mu"))
}
