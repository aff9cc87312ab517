//! The `sample` stage: what teacher and students make of the same held-out noise.
//!
//! Leaves below `samples/`: `noise.npy`, `labels.npy` if there are classes, per sampler a raw
//! `NAME.npy` and a grid `NAME.png`, the strip of trajectories `strips.png`, and `spectrum.json`.

use burn::tensor::{Device, Tensor};
use dsno_checkpoint::npy;
use dsno_data::ImageSet;
use dsno_data::picture::Uint8Images;
use dsno_eval::evaluation::HeldOutInputs;
use dsno_eval::spectrum::Spectrum;
use dsno_model::batches::{self, in_parallel};
use dsno_model::{Sampler, StudentSampler, TeacherSampler};
use serde::{Deserialize, Serialize};

use crate::experiment::SampleSettings;
use crate::failure::{Failure, While};
use crate::folder::RunFolder;
use crate::json::write_json;
use crate::output;
use crate::progress::Meter;
use crate::tensor::host;

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
    /// Batches to work on at the same time.
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
        let batches = batches::ranges(count, BATCH);
        let mut done = 0_u64;
        let total = (count * (1 + self.students.len())) as u64;
        let inputs = self.inputs();
        self.write("noise", &host(&inputs.noise(0..count))?)?;
        if let Some(labels) = inputs.labels(0..count) {
            output::write_labels(&out.join("labels.npy"), &labels)?;
        }
        let samplers = std::iter::once(self.teacher as &dyn Sampler)
            .chain(self.students.iter().map(|student| student as &dyn Sampler));
        for (index, sampler) in samplers.enumerate() {
            let mut values = Vec::with_capacity(count * c * h * w);
            let outcome = in_parallel(
                &batches,
                self.workers,
                |range| {
                    let labels = inputs.labels(range.clone());
                    host(&sampler.images(inputs.noise(range.clone()), labels.as_deref())?)
                },
                |group, images| {
                    values.extend(images.into_iter().flatten());
                    done += group.iter().map(|range| range.len() as u64).sum::<u64>();
                    Ok(meter.advance(done, total, &sampler.name()))
                },
            )?;
            if outcome.is_break() {
                return Ok(false);
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

    fn inputs(&self) -> HeldOutInputs<'_> {
        HeldOutInputs {
            seed: self.seed,
            shape: self.shape,
            classes: self.classes,
            device: self.device,
        }
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
        let (noise, labels) = (self.inputs().noise(0..rows), self.inputs().labels(0..rows));
        let trajectory = |sampler: &dyn Sampler, times: &[f64]| -> Result<Tensor<5>, Failure> {
            let states = sampler.trajectory(noise.clone(), labels.as_deref(), times)?;
            let input = noise.clone().unsqueeze_dim::<5>(1);
            Ok(Tensor::cat(vec![input, states], 1))
        };
        let measure = |name: &str, times: &[f64], states: &Tensor<5>| {
            let times = std::iter::once(1.0).chain(times.iter().copied()).collect();
            Spectrum::of(name, times, states.clone()).while_doing("measuring spectra")
        };
        let mut fine_times = self.teacher.thinned_times(SPECTRUM_TIMES);
        fine_times.retain(|t| *t < 1.0);
        let fine_states = trajectory(self.teacher, &fine_times)?;
        let fine = measure("teacher", &fine_times, &fine_states)?;

        let times = self.students.first().map_or(fine_times, Sampler::times);
        let mut all = vec![trajectory(self.teacher, &times)?];
        let mut coarse = vec![measure("teacher", &times, &all[0])?];
        for student in self.students {
            let states = trajectory(student, &times)?;
            coarse.push(measure(&student.name(), &times, &states)?);
            all.push(states);
        }
        let count = all.len();
        let values = host(&Tensor::stack::<6>(all, 1))?;
        self.picture("strips", &values, rows * count, times.len() + 1)?;
        write_json(
            &self.folder.join(FOLDER).join("spectrum.json"),
            &Spectra { fine, coarse },
        )
    }
}
