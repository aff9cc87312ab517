//! Prints the error of every solver against its model calls, and draws it.
//!
//! ```sh
//! cargo run --release -p dsno-ode --example error_vs_calls -- docs/solvers.svg
//! ```
//!
//! The teacher is a mixture of three normal distributions in the plane. The error is the root mean
//! square distance of 256 samples to those of the exact flow from the same noise. For each number of
//! calls a solver takes as many steps as it can afford.

mod plot;
mod solvers;

use std::error::Error;

use burn::tensor::{DType, Device, Tensor, TensorData};
use dsno_ode::analytic::{GaussianMixture, exact_flow};
use dsno_ode::solver::LowerOrderFinal;
use dsno_ode::{
    AlgorithmType, CosineSchedule, Dopri5, DpmSolverFast, GridKind, LinearBetaSchedule, Schedule,
    Solution, TimeGrid, solve_adaptive,
};
use solvers::OnGrid;

/// Model calls of the plot; the tables show those of [`TABLE`].
const BUDGETS: [usize; 12] = [5, 7, 10, 14, 20, 28, 35, 50, 70, 100, 140, 200];
const TABLE: [usize; 6] = [5, 10, 20, 35, 70, 140];
const POINTS: usize = 256;

/// A solver's errors, for each of [`BUDGETS`] that allows a solve.
#[derive(Clone)]
struct Series {
    name: String,
    order: usize,
    is_multistep: bool,
    errors: Errors,
}

impl Series {
    fn new(name: &str, order: usize, is_multistep: bool, errors: Errors) -> Self {
        let name = name.to_owned();
        Self {
            name,
            order,
            is_multistep,
            errors,
        }
    }
}

/// Model calls allowed, and the error reached with them.
type Errors = Vec<(usize, f64)>;

/// A flow with a known end.
struct Problem<'a> {
    teacher: &'a GaussianMixture,
    schedule: &'a dyn Schedule,
    z_1: Tensor<4>,
    exact: Tensor<4>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let means = vec![vec![1.0, 0.5], vec![-1.2, 0.8], vec![0.2, -1.5]];
    let teacher = GaussianMixture::new(vec![0.5, 0.3, 0.2], means, vec![0.25, 0.4, 0.15])?;
    let (cosine, linear) = (CosineSchedule::default(), LinearBetaSchedule::default());
    let cosine = Problem::new(&teacher, &cosine)?;
    let linear = Problem::new(&teacher, &linear)?;
    let mut rows = Vec::new();

    for kind in [GridKind::Uniform, GridKind::LogSnr, GridKind::Karras] {
        let series = cosine.on_grids(kind)?;
        print_table(&format!("Cosine schedule, grid `{kind}`"), &series);
        rows.push((format!("grid {kind}"), series));
    }
    let published = solvers::multistep(LowerOrderFinal::OnShortGrids);
    let published = cosine.each(&published, GridKind::Uniform, true)?;
    print_table(
        "Cosine schedule, grid `uniform`, full order to the end",
        &published,
    );
    let own = [cosine.fast()?, cosine.adaptive()?];
    print_table("Cosine schedule, steps of their own", &own);
    if let Some(path) = std::env::args().nth(1) {
        rows.truncate(2);
        for (_, series) in &mut rows {
            series.extend(own.iter().cloned());
        }
        std::fs::write(path, plot::draw(&rows))?;
    }
    for kind in [GridKind::Uniform, GridKind::LogSnr] {
        let series = linear.on_grids(kind)?;
        print_table(&format!("Linear-β schedule, grid `{kind}`"), &series);
    }
    print_table("Linear-β schedule, steps of its own", &[linear.adaptive()?]);
    Ok(())
}

impl<'a> Problem<'a> {
    fn new(
        teacher: &'a GaussianMixture,
        schedule: &'a dyn Schedule,
    ) -> Result<Self, Box<dyn Error>> {
        // Evenly spread quantiles: a Fibonacci spiral whose radii are those of normal points.
        let point = |i: usize| {
            let part = (i as f64 + 0.5) / POINTS as f64;
            let radius = (-2.0 * (-part).ln_1p()).sqrt();
            let angle = i as f64 * std::f64::consts::PI * (3.0 - 5f64.sqrt());
            [radius * angle.cos(), radius * angle.sin()]
        };
        let noise: Vec<f64> = (0..POINTS).flat_map(point).collect();
        let data = TensorData::new(noise, [POINTS, 2, 1, 1]);
        let z_1 = Tensor::<4>::from_data(data, (&Device::flex(), DType::F64));
        let exact = exact_flow(teacher, schedule, z_1.clone(), &[0.0])?.swap_remove(0);
        Ok(Self {
            teacher,
            schedule,
            z_1,
            exact,
        })
    }

    /// Solves with every solver on one kind of grid; order is lowered at the end where it can be.
    fn on_grids(&self, kind: GridKind) -> Result<Vec<Series>, Box<dyn Error>> {
        let multistep = solvers::multistep(LowerOrderFinal::Always);
        let mut series = self.each(&solvers::one_step(), kind, false)?;
        series.extend(self.each(&multistep, kind, true)?);
        Ok(series)
    }

    /// Solves with each solver on one kind of grid.
    fn each(
        &self,
        solvers: &[Box<dyn OnGrid>],
        kind: GridKind,
        is_multistep: bool,
    ) -> Result<Vec<Series>, Box<dyn Error>> {
        let one = |solver: &dyn OnGrid| {
            let errors = self.on_grid(solver, kind)?;
            Ok(Series::new(
                &solver.name(),
                solver.order(),
                is_multistep,
                errors,
            ))
        };
        solvers.iter().map(|solver| one(&**solver)).collect()
    }

    /// Solves on the longest grid that each number of calls allows.
    fn on_grid(&self, solver: &dyn OnGrid, kind: GridKind) -> Result<Errors, Box<dyn Error>> {
        let mut errors = Vec::new();
        for budget in BUDGETS {
            let grid = |steps| TimeGrid::new(kind, steps, self.schedule);
            let longest = (1..=budget).rev().find_map(|steps| {
                let grid = grid(steps).ok()?;
                let calls = solver.calls(self.schedule, &grid).ok()?;
                (calls <= budget).then_some((grid, calls))
            });
            let Some((grid, calls)) = longest else {
                continue;
            };
            let z_1 = self.z_1.clone();
            let solution = solver.sample(self.teacher, self.schedule, &grid, z_1)?;
            assert_eq!(solution.model_calls, calls);
            errors.push((budget, self.error(&solution)));
        }
        Ok(errors)
    }

    /// Solves with the plan of DPM-Solver-fast for each number of calls.
    fn fast(&self) -> Result<Series, Box<dyn Error>> {
        let mut errors = Vec::new();
        for budget in BUDGETS {
            let noise = AlgorithmType::DpmSolver;
            let solver = DpmSolverFast::new(noise, self.schedule, budget, 1.0, 0.0)?;
            let (grid, z_1) = (solver.grid(), self.z_1.clone());
            let solution = solver.sample(self.teacher, self.schedule, grid, z_1)?;
            errors.push((budget, self.error(&solution)));
        }
        Ok(Series::new("dpm-solver-fast", 3, false, errors))
    }

    /// Solves with the tightest tolerance that each number of calls allows.
    fn adaptive(&self) -> Result<Series, Box<dyn Error>> {
        let mut all = Vec::new();
        for eighths in 0..=64 {
            let method = Dopri5::with_tolerance(10f64.powf(-f64::from(eighths) / 8.0));
            let (span, z_1) = ((1.0, 0.0), self.z_1.clone());
            let solution = solve_adaptive(self.teacher, &method, self.schedule, span, z_1, &[0.0])?;
            all.push((solution.model_calls, self.error(&solution)));
        }
        let affordable = |budget: usize| {
            let last = all.iter().rev().find(|(calls, _)| *calls <= budget)?;
            Some((budget, last.1))
        };
        let errors = BUDGETS.into_iter().filter_map(affordable).collect();
        Ok(Series::new("dopri5", 5, false, errors))
    }

    fn error(&self, solution: &Solution) -> f64 {
        let distance = solution.states[0].clone() - self.exact.clone();
        let mean_square = distance.square().sum().into_scalar::<f64>() / POINTS as f64;
        mean_square.sqrt()
    }
}

fn print_table(title: &str, series: &[Series]) {
    let head: String = TABLE.map(|calls| format!(" {calls} |")).concat();
    println!("\n### {title}\n\n| solver | order |{head}");
    println!("|---|--:|{}", "--:|".repeat(TABLE.len()));
    for line in series {
        let cell = |calls: usize| {
            let found = line.errors.iter().find(|(budget, _)| *budget == calls);
            found.map_or_else(
                || " – |".to_owned(),
                |(_, error)| format!(" {} |", short(*error)),
            )
        };
        println!(
            "| {} | {} |{}",
            line.name,
            line.order,
            TABLE.map(cell).concat()
        );
    }
}

/// Writes an error with two digits.
fn short(error: f64) -> String {
    if (0.01..1e3).contains(&error) {
        let digits = (1.0 - error.log10().floor()).max(0.0) as usize;
        format!("{error:.digits$}")
    } else {
        format!("{error:.1e}")
    }
}
