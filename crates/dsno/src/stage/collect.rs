//! The `collect` stage: the teacher's trajectories, solved and stored.

use std::rc::Rc;

use dsno_train::{CollectJob, CollectRecipe, Outcome, StoreDtype, collect};

use super::{Facts, Run, Setup, Stage, TeacherStage, folder_with};
use crate::failure::{Failure, While, sentence};
use crate::ledger::{Key, Ledger};
use crate::preflight::Needs;
use crate::progress::Meter;

/// The trajectory store, below the run folder.
pub(super) const STORE: &str = "trajectories";

/// The stage.
pub(super) struct CollectStage<'a> {
    setup: &'a Setup<'a>,
    teacher: Rc<TeacherStage<'a>>,
    recipe: &'a CollectRecipe,
    pub(super) facts: Facts,
}

impl<'a> CollectStage<'a> {
    pub(super) fn new(
        setup: &'a Setup<'a>,
        teacher: &Rc<TeacherStage<'a>>,
    ) -> Result<Option<Self>, String> {
        let Some(recipe) = &setup.experiment.collect else {
            return Ok(None);
        };
        let valid = recipe.validate();
        valid.map_err(|error| format!("collect: {}", sentence(&error)))?;
        let inputs = (recipe, setup.experiment.seed);
        Ok(Some(Self {
            setup,
            teacher: teacher.clone(),
            recipe,
            facts: Facts {
                name: "collect".to_owned(),
                key: Key::of("collect", &inputs, &[&teacher.facts.key]),
                outputs: folder_with(STORE, "zarr.json"),
                unit: "trajectories",
                trains: None,
            },
        }))
    }

    pub(super) fn recipe(&self) -> &CollectRecipe {
        self.recipe
    }
}

impl Stage for CollectStage<'_> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn needs(&self, _ledger: &Ledger, needs: &mut Needs) -> Result<(), Failure> {
        let bytes = match self.recipe.dtype {
            StoreDtype::F16 => 2,
            StoreDtype::F32 => 4,
        };
        let pixels: usize = self.setup.data.image_shape().iter().product();
        let states = self.recipe.trajectories * self.recipe.record.len() as u64;
        needs.disk(states * pixels as u64 * bytes);
        Ok(())
    }

    fn run(&self, run: &Run<'_>, meter: &mut Meter) -> Result<Outcome, Failure> {
        let teacher = self.teacher.load(run)?;
        let store = run.folder().join(STORE);
        let job = CollectJob {
            teacher: &teacher,
            recipe: self.recipe,
            seed: self.setup.experiment.seed,
            store: &store,
            workers: run.workers,
        };
        collect(&job, run.device, meter).while_doing(format!(
            "collection failed (if a file is damaged, delete {} to make it again)",
            store.display()
        ))
    }
}
