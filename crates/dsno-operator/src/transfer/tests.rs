use burn::tensor::{Device, Tensor, TensorData};

use crate::{Heads, Output, TemporalConvConfig, Timesteps, UNetConfig};

fn teacher() -> UNetConfig {
    UNetConfig {
        image_size: 8,
        image_channels: 2,
        base_channels: 8,
        embedding_channels: 12,
        channel_multipliers: vec![1, 2],
        res_blocks: 1,
        attention_resolutions: vec![4],
        heads: Heads::Count(2),
        attention_groups: 4,
        residual_groups: None,
        classes: 3,
        dropout: 0.0,
        temporal: None,
        output: Output::State,
    }
}

fn waves(shape: [usize; 4]) -> Tensor<4> {
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|k| (1.3 * k as f32 + 0.2).sin())
        .collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// Weights of order one everywhere, also where a fresh network has nearly nothing.
fn filled(architecture: &UNetConfig) -> crate::UNet {
    let network = architecture.init(1, &Device::flex()).unwrap();
    let mut weights = network.state_dict();
    for (phase, tensor) in weights.values_mut().enumerate() {
        for (k, value) in tensor.values.iter_mut().enumerate() {
            *value = 0.3 * (0.7 * k as f32 + phase as f32).cos();
        }
    }
    network.load_state_dict(weights).unwrap()
}

#[test]
fn a_student_without_effect_of_time_is_its_teacher_at_each_time() {
    let teacher = teacher();
    let student = teacher.student(Some(TemporalConvConfig { n_modes: 3 }));
    let network = filled(&teacher);
    let started = student.init(2, &Device::flex()).unwrap();
    let started = started
        .init_from_teacher(&network, &teacher, &student)
        .unwrap();
    let mut weights = started.state_dict();
    for tensor in weights.values_mut().filter(|t| t.shape.ends_with(&[3, 2])) {
        tensor.values.fill(0.0);
    }
    let started = started.load_state_dict(weights).unwrap();

    let (z, levels, labels) = (waves([2, 2, 8, 8]), [-3.0, 0.5, 2.0, 20.0], [0, 2]);
    let trajectory = started.forward(z.clone(), Timesteps::Shared(&levels), Some(&labels));
    for (i, level) in levels.iter().enumerate() {
        let expected = network.forward(z.clone(), Timesteps::Shared(&[*level]), Some(&labels));
        let error = (trajectory.clone().narrow(1, i, 1) - expected.clone()).abs();
        let (error, size) = (error.max().into_scalar::<f32>(), expected.abs().max());
        // The same sums; only the number of rows in a product differs.
        let allowed = 1e-6 * size.into_scalar::<f32>();
        assert!(error <= allowed, "time {i}: {error}");
    }
}

#[test]
fn a_student_of_a_joint_teacher_starts_at_its_images() {
    let joint = UNetConfig {
        output: Output::StateAndNoise,
        ..teacher()
    };
    let student = joint.student(Some(TemporalConvConfig { n_modes: 2 }));
    assert_eq!(student.output, Output::State);
    let network = filled(&joint);
    let started = student.init(2, &Device::flex()).unwrap();
    let started = started
        .init_from_teacher(&network, &joint, &student)
        .unwrap();
    let (theirs, ours) = (network.state_dict(), started.state_dict());
    for name in ["head.weight", "head.bias"] {
        let (theirs, ours) = (&theirs[name], &ours[name]);
        assert_eq!([theirs.shape[0], ours.shape[0]], [4, 2]);
        assert_eq!(theirs.values[..ours.values.len()], ours.values);
    }
    assert_eq!(theirs["stem.weight"], ours["stem.weight"]);
}

#[test]
fn a_joint_answer_is_the_image_where_noise_prevails_and_the_noise_elsewhere() {
    let joint = UNetConfig {
        output: Output::StateAndNoise,
        ..teacher()
    };
    let network = filled(&joint);
    let mut weights = network.state_dict();
    weights.get_mut("head.weight").unwrap().values.fill(0.0);
    weights.get_mut("head.bias").unwrap().values = vec![0.5, 0.25, -1.0, 2.0];
    let network = network.load_state_dict(weights).unwrap();
    let z = waves([2, 2, 8, 8]);
    // Another level for each sample, both in one batch and one by one.
    let levels = [-4.0_f64, 3.0];
    let batch = network.forward(z.clone(), Timesteps::PerSample(&levels), Some(&[0, 1]));
    for (i, level) in levels.into_iter().enumerate() {
        let (alpha2, sigma2) = (1.0 / (1.0 + (-level).exp()), 1.0 / (1.0 + level.exp()));
        for (c, [x, eps]) in [[0.5, -1.0], [0.25, 2.0]].into_iter().enumerate() {
            let z = z.clone().narrow(0, i, 1).narrow(1, c, 1);
            let expected = (z - eps * sigma2.sqrt()) * alpha2.sqrt() + x * sigma2;
            let found: Tensor<4> = batch.clone().narrow(0, i, 1).squeeze_dim(1);
            let error = (found.narrow(1, c, 1) - expected).abs().max();
            assert!(error.into_scalar::<f32>() < 1e-6);
        }
    }
    let error = joint.student(None).validate();
    assert!(error.is_ok());
    let impossible = UNetConfig {
        temporal: Some(TemporalConvConfig { n_modes: 1 }),
        ..joint
    };
    let error = impossible.validate().unwrap_err().to_string();
    assert!(error.contains("state-and-noise"), "{error}");
}
