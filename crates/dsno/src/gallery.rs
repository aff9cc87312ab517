//! The `sample` stage: what teacher and students make of the same held-out noise.
//!
//! Leaves below `samples/`: `noise.npy`, per sampler a raw `NAME.npy` and a grid `NAME.png`, the
//! strip of trajectories `strips.png`, and `spectrum.json`.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use dsno_checkpoint::npy;
use dsno_data::ImageSet;
use dsno_data::noise::{self, Stream};
use dsno_data::picture::Uint8Images;
use serde::{Deserialize, Serialize};

use crate::experiment::SampleSettings;
use crate::failure::{Failure, While};
use crate::folder::RunFolder;
use crate::json::write_json;
use crate::progress::Meter;
use crate::spectrum::spectrum;
use crate::tensor::host;
use dsno_model::{Sampler, StudentSampler, TeacherSampler};
use dsno_train::try_parallel_map;

/// Folder of the stage, below the run folder.
pub(crate) const FOLDER: &str = "samples";
/// Images per forward pass.
const BATCH: usize = 32;
/// Time points of the teacher's own spectrum, at most.
const SPECTRUM_TIMES: usize = 17;
/// Pictures in a grid are enlarged to about this many pixels.
const SHOWN_PIXELS: usize = 48;

/// Energy of trajectories over temporal frequency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spectra {
    /// Of the teacher on its own, finer grid.
    pub(crate) fine: Spectrum,
    /// Of teacher and students at the times of the student.
    pub(crate) coarse: Vec<Spectrum>,
}

/// Energy shares of one sampler, lowest frequency first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spectrum {
    pub(crate) name: String,
    /// The times of the trajectory, noise first.
    pub(crate) times: Vec<f64>,
    pub(crate) shares: Vec<f64>,
}

/// All that the stage needs.
pub(crate) struct Gallery<'a> {
    pub(crate) settings: &'a SampleSettings,
    pub(crate) seed: u64,
    pub(crate) teacher: &'a TeacherSampler<'a>,
    pub(crate) students: &'a [StudentSampler<'a>],
    pub(crate) shape: [usize; 3],
    pub(crate) classes: usize,
    /// Real images to show beside the samples.
    pub(crate) images: Option<&'a ImageSet>,
    pub(crate) device: &'a Device,
    /// Batches to work on together.
    pub(crate) workers: usize,
    pub(crate) folder: &'a RunFolder,
}

impl Gallery<'_> {
    /// Makes everything. Gives `false` back if the user asked to stop.
    pub(crate) fn make(&self, meter: &mut Meter) -> Result<bool, Failure> {
        let out = self.folder.join(FOLDER);
        std::fs::create_dir_all(&out).while_doing(format!("cannot create {}", out.display()))?;
        let [c, h, w] = self.shape;
        let count = self.settings.count;
        let batches: Vec<Range<usize>> = (0..count)
            .step_by(BATCH)
            .map(|start| start..(start + BATCH).min(count))
            .collect();
        let mut done = 0_u64;
        let total = (count * (1 + self.students.len())) as u64;
        self.write("noise", &host(&self.noise(0..count))?)?;
        let samplers = std::iter::once(self.teacher as &dyn Sampler)
            .chain(self.students.iter().map(|student| student as &dyn Sampler));
        for (index, sampler) in samplers.enumerate() {
            let mut values = Vec::with_capacity(count * c * h * w);
            for group in batches.chunks(self.workers) {
                if meter.stop_requested() {
                    return Ok(false);
                }
                let images = try_parallel_map(group, |range| {
                    let labels = self.labels(range);
                    host(&sampler.images(self.noise(range.clone()), labels.as_deref())?)
                })?;
                values.extend(images.into_iter().flatten());
                done += group.iter().map(|range| range.len() as u64).sum::<u64>();
                meter.update(done, total, &sampler.name());
            }
            let name = if index == 0 {
                "teacher".to_owned()
            } else {
                sampler.name()
            };
            self.write(&name, &values)?;
            self.grid(&name, &values)?;
        }
        if let Some(images) = self.images {
            let indices: Vec<usize> = (0..count.min(images.len())).collect();
            self.grid("data", &host(&images.batch(&indices, self.device))?)?;
        }
        self.strips()?;
        Ok(true)
    }

    fn noise(&self, range: Range<usize>) -> Tensor<4> {
        let range = range.start as u64..range.end as u64;
        noise::batch_of(
            Stream::HeldOutNoise,
            self.seed,
            range,
            self.shape,
            self.device,
        )
    }

    fn labels(&self, range: &Range<usize>) -> Option<Vec<u32>> {
        let classes = u32::try_from(self.classes)
            .ok()
            .filter(|classes| *classes > 0)?;
        Some(
            range
                .clone()
                .map(|index| noise::label(self.seed, index as u64, classes))
                .collect(),
        )
    }

    fn write(&self, name: &str, values: &[f32]) -> Result<(), Failure> {
        let [c, h, w] = self.shape;
        let path = self.folder.join(FOLDER).join(format!("{name}.npy"));
        npy::write_f32(path, &[values.len() / (c * h * w), c, h, w], values)
            .while_doing("writing samples")
    }

    fn grid(&self, name: &str, values: &[f32]) -> Result<(), Failure> {
        let [c, h, w] = self.shape;
        let count = values.len() / (c * h * w);
        let columns = self.settings.columns.min(count);
        self.picture(name, values, count.div_ceil(columns), columns)
    }

    fn picture(
        &self,
        name: &str,
        values: &[f32],
        rows: usize,
        columns: usize,
    ) -> Result<(), Failure> {
        let [c, h, w] = self.shape;
        let path = self.folder.join(FOLDER).join(format!("{name}.png"));
        Uint8Images::from_values(values, [values.len() / (c * h * w), c, h, w])
            .map(|pictures| pictures.enlarged(SHOWN_PIXELS.div_ceil(h.max(w))))
            .and_then(|pictures| pictures.grid(rows, columns))
            .and_then(|grid| grid.save_png(0, path))
            .while_doing(format!("drawing {name}.png"))
    }

    /// Rows of teacher and students in turn, columns from noise to image; and the spectra.
    fn strips(&self) -> Result<(), Failure> {
        let rows = self.settings.strips;
        if rows == 0 {
            return Ok(());
        }
        let labels = self.labels(&(0..rows));
        let trajectory = |sampler: &dyn Sampler, times: &[f64]| -> Result<Vec<f32>, Failure> {
            let states = sampler.trajectory(self.noise(0..rows), labels.as_deref(), times)?;
            let input = self.noise(0..rows).unsqueeze_dim::<5>(1);
            host(&Tensor::cat(vec![input, states], 1))
        };
        let pixels: usize = self.shape.iter().product();
        let measure = |name: String, times: &[f64], states: &[f32]| {
            let times: Vec<f64> = std::iter::once(1.0).chain(times.iter().copied()).collect();
            Spectrum {
                name,
                shares: spectrum(states, times.len(), pixels),
                times,
            }
        };
        let fine_times: Vec<f64> = self
            .teacher
            .thinned_times(SPECTRUM_TIMES)
            .into_iter()
            .filter(|t| *t < 1.0)
            .collect();
        let fine_states = trajectory(self.teacher, &fine_times)?;
        let fine = measure("teacher".to_owned(), &fine_times, &fine_states);

        let times = self.students.first().map_or(fine_times, Sampler::times);
        let mut all = vec![("teacher".to_owned(), trajectory(self.teacher, &times)?)];
        for student in self.students {
            all.push((student.name(), trajectory(student, &times)?));
        }
        let columns = times.len() + 1;
        let mut values = Vec::new();
        for row in 0..rows {
            for (_, states) in &all {
                let length = columns * pixels;
                values.extend_from_slice(&states[row * length..(row + 1) * length]);
            }
        }
        self.picture("strips", &values, rows * all.len(), columns)?;
        let coarse = all
            .into_iter()
            .map(|(name, states)| measure(name, &times, &states))
            .collect();
        write_json(
            &self.folder.join(FOLDER).join("spectrum.json"),
            &Spectra { fine, coarse },
        )
    }
}
