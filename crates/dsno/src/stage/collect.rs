//! The `collect` stage: the teacher's trajectories, solved and stored.

use std::path::PathBuf;
use std::rc::Rc;

use dsno_train::{CollectJob, CollectRecipe, Outcome, StoreDtype, collect};

use super::{Facts, Run, Setup, Stage, TeacherStage};
use crate::failure::{Failure, While, sentence};
use crate::key::Key;
use crate::ledger::Ledger;
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
        // How many trajectories are solved at once does not change them.
        let cosmetic = ["batch_size"];
        let inputs = (recipe, setup.experiment.seed);
        let key = Key::apart_from(&cosmetic, "collect", &inputs, &[&teacher.facts.key]);
        Ok(Some(Self {
            setup,
            teacher: teacher.clone(),
            recipe,
            facts: Facts {
                outputs: vec![PathBuf::from(STORE)],
                checksummed: true,
                ..Facts::of("collect", key, "trajectories")
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

    fn needs(&self, ledger: &Ledger, needs: &mut Needs) -> Result<(), Failure> {
        let bytes = match self.recipe.dtype {
            StoreDtype::F16 => 2,
            StoreDtype::F32 => 4,
        };
        let pixels: usize = self.setup.data.image_shape().iter().product();
        let states = self.recipe.trajectories * self.recipe.record.len() as u64;
        let all = states * pixels as u64 * bytes;
        needs.disk(all, ledger.bytes_of(&self.facts));
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
        collect(&job, run.device, meter).while_doing("collection failed")
    }
}
