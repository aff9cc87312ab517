//! EDM networks against an independent PyTorch reading of them in f64 (`tests/golden/derive/edm.py`).

mod case;
mod file;

use std::error::Error;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::StateDict;
use dsno_ode::solver::ddim_step;
use dsno_ode::{Ddim, Denoiser, EdmSchedule, GridKind, NoiseLevel, Schedule, TimeGrid, solve};
use dsno_operator::{NetworkConfig, Timesteps, UNet};
use safetensors::SafeTensors;

use case::{Case, cases, draw, published, value};

/// Of the largest value: f32 against f64. PyTorch in f32 differs by up to 3.3e-6.
const OUTPUT: f64 = 1e-5;

type Outcome = Result<(), Box<dyn Error>>;

fn golden() -> Result<Vec<u8>, Box<dyn Error>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/edm.safetensors");
    Ok(std::fs::read(path)?)
}

fn eight_bytes(file: &SafeTensors<'_>, name: &str) -> Result<Vec<[u8; 8]>, Box<dyn Error>> {
    Ok(file.tensor(name)?.data().as_chunks::<8>().0.to_vec())
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let values = eight_bytes(file, name)?;
    Ok(values.into_iter().map(f64::from_le_bytes).collect())
}

/// Trained numbers, tensors, stored numbers in all.
fn sizes(file: &SafeTensors<'_>, name: &str) -> Result<[usize; 3], Box<dyn Error>> {
    let values = eight_bytes(file, &format!("{name}.sizes"))?;
    let size = |at: usize| {
        values
            .get(at)
            .map_or(0, |bytes| i64::from_le_bytes(*bytes) as usize)
    };
    Ok([size(0), size(1), size(2)])
}

/// The case's weights, by the recipe; filters and levels as the architecture has them.
fn weights(network: &UNet) -> StateDict {
    let mut weights = network.state_dict();
    for (name, tensor) in &mut weights {
        if name != "u" && !name.ends_with("resample_filter") {
            tensor.values = value(name, &tensor.shape);
        }
    }
    weights
}

fn build(case: &Case) -> Result<UNet, Box<dyn Error>> {
    let fresh = NetworkConfig::new(case.architecture.clone())?.init(1, &Device::flex());
    let weights = weights(&fresh);
    let network = fresh.load_state_dict(weights.clone())?;
    assert_eq!(network.state_dict(), weights);
    Ok(network)
}

/// `image + σ noise` of two samples.
fn noisy(case: &Case, sigma: f64) -> Tensor<4> {
    let (c, s) = (
        case.architecture.img_channels,
        case.architecture.img_resolution,
    );
    let tensor = |name: &str, scale: f64| {
        let values = draw(name, 2 * c * s * s).map(|v| (scale * v) as f32);
        let data = TensorData::new(values.collect::<Vec<f32>>(), [2, c, s, s]);
        Tensor::<4>::from_data(data, &Device::flex())
    };
    tensor("image", 0.5) + tensor("noise", 3.0_f64.sqrt()) * sigma
}

/// What a network predicts at one timestep for all samples or one for each.
fn predict(network: &UNet, x: Tensor<4>, noise: &[f64], labels: Option<&[u32]>) -> Tensor<4> {
    let timesteps = match noise {
        [_] => Timesteps::Shared(noise),
        _ => Timesteps::PerSample(noise),
    };
    network.forward(x, timesteps, labels).squeeze_dim(1)
}

#[test]
fn answers_are_those_of_the_reference() -> Outcome {
    let bytes = golden()?;
    let file = SafeTensors::deserialize(&bytes)?;
    for case in cases() {
        let network = build(&case)?;
        for (i, &sigma) in case.sigmas.iter().enumerate() {
            let x = noisy(&case, sigma);
            let factors = (case.factors)(sigma);
            let labels = case.labels.as_deref();
            let f = predict(
                &network,
                x.clone() * factors.input,
                &[factors.noise],
                labels,
            );
            let name = format!("{}.{i}.F", case.name);
            close(f, &floats(&file, &name)?, &name);

            let model = network.denoiser(case.labels.clone(), false);
            let exploding = NoiseLevel::variance_exploding(sigma);
            let name = format!("{}.{i}.D", case.name);
            let expected = floats(&file, &name)?;
            close(model.denoise(x.clone(), exploding), &expected, &name);
            let preserving = NoiseLevel::from_log_snr(exploding.log_snr());
            let z_t = x * preserving.alpha();
            let x_hat = model.denoise(z_t.clone(), preserving);
            close(x_hat.clone(), &expected, &name);

            let clamping = network.denoiser(case.labels.clone(), true);
            let held = clamping.denoise(z_t, preserving).into_data();
            assert_eq!(held, x_hat.clamp(-1.0, 1.0).into_data(), "{name}");
        }
    }
    Ok(())
}

#[test]
fn without_labels_a_network_with_classes_is_told_zeros() -> Outcome {
    let bytes = golden()?;
    let file = SafeTensors::deserialize(&bytes)?;
    for case in cases().into_iter().filter(|case| case.labels.is_some()) {
        let sigma = *case.sigmas.last().ok_or("a level")?;
        let factors = (case.factors)(sigma);
        let x = noisy(&case, sigma) * factors.input;
        let answer = predict(&build(&case)?, x, &[factors.noise], None);
        let name = format!("{}.unlabelled", case.name);
        close(answer, &floats(&file, &name)?, &name);
    }
    Ok(())
}

#[test]
fn a_level_per_sample_answers_as_one_level_for_each() -> Outcome {
    for case in cases() {
        let network = build(&case)?;
        let x = noisy(&case, 1.0);
        let noise = [-0.4, 0.9];
        let together = predict(&network, x.clone(), &noise, case.labels.as_deref());
        for (row, level) in noise.into_iter().enumerate() {
            let label = case.labels.as_ref().map(|labels| vec![labels[row]]);
            let alone = predict(
                &network,
                x.clone().narrow(0, row, 1),
                &[level],
                label.as_deref(),
            );
            let alone: Vec<f64> = alone.into_data().iter::<f64>().collect();
            close(together.clone().narrow(0, row, 1), &alone, case.name);
        }
    }
    Ok(())
}

#[test]
fn solvers_drive_it_in_the_units_of_either_process() -> Outcome {
    let case = cases().swap_remove(0);
    let network = build(&case)?;
    let model = network.denoiser(case.labels.clone(), false);
    let schedule = EdmSchedule::default();
    let grid = TimeGrid::new(GridKind::Karras, 4, &schedule)?;
    let z_1 = noisy(&case, 80.0);
    let solved = solve(&model, &Ddim, &schedule, &grid, z_1.clone(), &[0.0])?;

    let level = |t: f64| NoiseLevel::from_log_snr(schedule.log_snr(t));
    let mut z = z_1 * level(1.0).alpha();
    for ends in grid.times().windows(2) {
        let (from, to) = (level(ends[0]), level(ends[1]));
        let x_hat = model.denoise(z.clone(), from);
        z = ddim_step(z, x_hat, from, to)?;
    }
    let by_hand: Vec<f64> = z.into_data().iter::<f64>().collect();
    close(solved.states[0].clone(), &by_hand, "the image at t = 0");
    Ok(())
}

#[test]
fn counts_are_those_of_the_reference_and_of_what_is_built() -> Outcome {
    let bytes = golden()?;
    let file = SafeTensors::deserialize(&bytes)?;
    let small = cases()
        .into_iter()
        .map(|case| (case.name, case.architecture));
    for (name, architecture) in small.chain(published()) {
        let config = NetworkConfig::new(architecture)?;
        let shapes = config.weight_shapes();
        let stored = shapes
            .iter()
            .map(|(_, s)| s.iter().product::<usize>())
            .sum();
        let found = [config.parameter_count(), shapes.len(), stored];
        assert_eq!(found, sizes(&file, name)?, "{name}");
    }
    for case in cases() {
        let network = NetworkConfig::new(case.architecture.clone())?.init(1, &Device::flex());
        let built = network
            .state_dict()
            .into_iter()
            .map(|(name, tensor)| (name, tensor.shape));
        let mut expected = NetworkConfig::new(case.architecture)?.weight_shapes();
        expected.sort();
        assert_eq!(built.collect::<Vec<_>>(), expected);
    }
    Ok(())
}

#[test]
fn levels_of_improved_ddpm_follow_from_its_constants() -> Outcome {
    let bytes = golden()?;
    let file = SafeTensors::deserialize(&bytes)?;
    let case = cases().into_iter().find(|case| case.name == "iddpm");
    let config = NetworkConfig::new(case.ok_or("a case")?.architecture)?;
    let network = config.init(1, &Device::flex());
    let levels = network.state_dict().remove("u").ok_or("levels")?;
    let expected = floats(&file, "iddpm.u")?;
    assert_eq!(levels.values.len(), expected.len());
    for (found, expected) in levels.values.iter().zip(expected) {
        // Stored as f32.
        assert!((f64::from(*found) - expected).abs() <= 6e-8 * expected);
    }
    Ok(())
}

#[track_caller]
fn close(found: Tensor<4>, expected: &[f64], what: &str) {
    let found: Vec<f64> = found.into_data().iter::<f64>().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let worst = found
        .iter()
        .zip(expected)
        .map(|(f, e)| (f - e).abs())
        .fold(0.0, f64::max)
        / largest;
    assert!(
        worst <= OUTPUT,
        "{what}: worst relative difference {worst:e} above {OUTPUT:e}"
    );
}
