use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Tensor};
use dsno_data::noise;
use dsno_data::picture::Uint8Images;
use dsno_model::SampleError;

use super::*;
use crate::PixelFeatures;

/// Scales the noise, and counts the images that it was asked for.
struct Scale {
    scale: f64,
    images: AtomicUsize,
}

fn scale(scale: f64) -> Scale {
    let images = AtomicUsize::new(0);
    Scale { scale, images }
}

impl Sampler for Scale {
    fn name(&self) -> String {
        format!("scale-{}", self.scale)
    }

    fn nfe(&self) -> usize {
        1
    }

    fn unet_passes(&self) -> f64 {
        1.0
    }

    fn times(&self) -> Vec<f64> {
        vec![0.0]
    }

    fn trajectory(
        &self,
        noise: Tensor<4>,
        labels: Option<&[u32]>,
        _times: &[f64],
    ) -> Result<Tensor<5>, SampleError> {
        Ok(self.images(noise, labels)?.unsqueeze_dim(1))
    }

    fn images(&self, noise: Tensor<4>, _labels: Option<&[u32]>) -> Result<Tensor<4>, SampleError> {
        self.images.fetch_add(noise.dims()[0], Ordering::Relaxed);
        Ok(noise * self.scale)
    }
}

/// Real images: noise of scale 0.3.
fn real() -> ImageSet {
    let values = noise::batch(7, 0..400, [1, 4, 4], &Device::flex()) * 0.3;
    let values = values.into_data().try_to_vec::<f32>().unwrap();
    ImageSet::from_pictures(&Uint8Images::from_values(&values, [400, 1, 4, 4]).unwrap())
}

fn config(workers: usize) -> EvaluationConfig {
    EvaluationConfig {
        samples: 100,
        seeds: vec![1, 2],
        paired: 30,
        batch_size: 20,
        latency_repeats: 1,
        workers,
    }
}

/// Evaluates a narrow sampler beside the teacher, and stops after so many reports.
fn evaluate(
    folder: &Path,
    workers: usize,
    narrow: &Scale,
    key: &str,
    reports: usize,
) -> Result<Evaluation, EvaluationError> {
    let (images, features, device) = (real(), PixelFeatures::new(2), Device::flex());
    let teacher = scale(0.3);
    let candidates = [Candidate {
        sampler: narrow,
        key: key.to_owned(),
    }];
    let mut evaluator = Evaluator::new(&images, &features, &device, folder);
    evaluator.config = config(workers);
    evaluator.endpoint = Some(Candidate {
        sampler: &teacher,
        key: "teacher".to_owned(),
    });
    let mut seen = 0;
    evaluator.run(&candidates, &mut |progress| {
        assert!(progress.done <= progress.total && progress.total == 2.0 * 130.0);
        seen += 1;
        if seen > reports {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
}

fn figures(evaluation: &Evaluation) -> Vec<(&str, &BTreeMap<String, Figure>)> {
    let samplers = evaluation.samplers.iter();
    samplers.map(|s| (s.name.as_str(), &s.figures)).collect()
}

#[test]
fn measures_sets_per_seed_and_pairs_over_all() {
    let folder = tempfile::tempdir().unwrap();
    let evaluation = evaluate(folder.path(), 1, &scale(0.2), "narrow", usize::MAX).unwrap();
    let names: Vec<&str> = evaluation
        .samplers
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    assert_eq!(names, ["scale-0.2", "data"]);
    assert_eq!(evaluation.space, "pixels averaged to 2×2");
    let [narrow, data] = &evaluation.samplers[..] else {
        panic!("two rows are expected")
    };
    let frechet = &narrow.figures["frechet"];
    assert_eq!(
        (frechet.samples, frechet.reference_samples),
        (100, Some(300))
    );
    let seeds: Vec<f64> = frechet.seeds.iter().map(|s| s.values["value"]).collect();
    assert_eq!(frechet.values["value"], f64::midpoint(seeds[0], seeds[1]));
    // Four features, each the mean of four pixels, whose deviations are 0.1 and 0.15.
    assert!(
        (frechet.values["value"] - 0.01).abs() < 0.005,
        "{frechet:?}"
    );
    assert!(data.figures["frechet"].values["value"] < 0.003);
    let paired = &narrow.figures["paired"];
    assert_eq!(paired.samples, 2 * 30);
    // The mean of |0.3 z − 0.2 z| over standard normal z; 960 pixels.
    let expected = 0.1 * (2.0 / std::f64::consts::PI).sqrt();
    assert!((paired.values["l1"] - expected).abs() < 0.01, "{paired:?}");
    assert!(!data.figures.contains_key("paired"));
    let l1 = evaluation.columns.iter().find(|c| c.key == "l1").unwrap();
    assert_eq!(narrow.value(l1), Some(paired.values["l1"]));
    assert_eq!((narrow.seed_values(l1).len(), data.value(l1)), (2, None));
}

#[test]
fn a_stopped_evaluation_goes_on_where_it_was() {
    let whole = tempfile::tempdir().unwrap();
    let expected = evaluate(whole.path(), 1, &scale(0.2), "narrow", usize::MAX).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let narrow = scale(0.2);
    let mut attempts = 0;
    let found = loop {
        match evaluate(folder.path(), 2, &narrow, "narrow", 9) {
            Err(EvaluationError::Stopped) => attempts += 1,
            other => break other.unwrap(),
        }
    };
    assert!(attempts > 2);
    // Two seeds, and two images of latency: no chunk was made twice.
    assert_eq!(narrow.images.load(Ordering::Relaxed), 2 * 100 + 2);
    assert_eq!(figures(&found), figures(&expected));
}

#[test]
fn chunks_are_made_again_when_damaged_or_of_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let run = |key: &str| {
        let narrow = scale(0.2);
        let evaluation = evaluate(folder.path(), 2, &narrow, key, usize::MAX).unwrap();
        (narrow.images.into_inner(), evaluation)
    };
    let (_, first) = run("a");
    let (made, again) = run("a");
    assert_eq!((made, &again.samplers[0]), (0, &first.samplers[0]));
    let chunk = folder.path().join("scale-0.2/seed-1/00000020.npz");
    let bytes = fs::read(&chunk).unwrap();
    fs::write(&chunk, &bytes[..bytes.len() / 2]).unwrap();
    let (made, again) = run("a");
    assert_eq!((made, figures(&again)), (20, figures(&first)));
    let (made, again) = run("b");
    assert_eq!((made, figures(&again)), (2 * 100 + 2, figures(&first)));
}

#[test]
fn the_endpoint_among_the_samplers_is_sampled_once() {
    let folder = tempfile::tempdir().unwrap();
    let (images, features, device) = (real(), PixelFeatures::new(2), Device::flex());
    let teacher = scale(0.3);
    let candidates = [Candidate {
        sampler: &teacher,
        key: "teacher".to_owned(),
    }];
    let mut evaluator = Evaluator::new(&images, &features, &device, folder.path());
    evaluator.config = config(1);
    evaluator.endpoint = Some(candidates[0].clone());
    let observe = &mut |_: &Progress<'_>| ControlFlow::Continue(());
    let evaluation = evaluator.run(&candidates, observe).unwrap();
    assert_eq!(teacher.images.load(Ordering::Relaxed), 2 * 100 + 2);
    assert!(!evaluation.samplers[0].figures.contains_key("paired"));
}

#[test]
fn an_evaluation_survives_json_with_infinite_values() {
    let folder = tempfile::tempdir().unwrap();
    // The same images as the teacher's under another key.
    let same = evaluate(folder.path(), 1, &scale(0.3), "copy", usize::MAX).unwrap();
    let paired = &same.samplers[0].figures["paired"].values;
    assert_eq!((paired["l1"], paired["psnr"]), (0.0, f64::INFINITY));
    let text = serde_json::to_string(&same).unwrap();
    assert!(text.contains("\"psnr\":null"), "{text}");
    assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), same);
}

#[test]
fn reads_the_first_version_of_the_file() {
    let text = r#"{"space": "s", "samplers": [
        {"name": "dsno", "nfe": 1, "unet_passes": 4.5, "images_per_second": 9.0,
         "latency_seconds": 0.5, "paired": {"l1": 0.25, "psnr": 20.5, "samples": 8},
         "frechet": {"space": "s", "value": 2.5, "samples": 4, "reference_samples": 6,
                     "seeds": [{"seed": 1, "value": 2.5}]}},
        {"name": "data", "nfe": 0, "unet_passes": 0.0, "images_per_second": 9.0,
         "latency_seconds": 0.5, "paired": null,
         "frechet": {"space": "s", "value": 0.5, "samples": 4, "reference_samples": 6,
                     "seeds": [{"seed": 1, "value": 0.5}]}}]}"#;
    let evaluation: Evaluation = serde_json::from_str(text).unwrap();
    let row = |sampler: &Measured| {
        let columns = evaluation.columns.iter();
        columns.map(|c| sampler.value(c)).collect::<Vec<_>>()
    };
    assert_eq!(
        row(&evaluation.samplers[0]),
        [Some(2.5), Some(0.25), Some(20.5)]
    );
    assert_eq!(row(&evaluation.samplers[1]), [Some(0.5), None, None]);
}
