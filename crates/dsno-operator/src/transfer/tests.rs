use burn::tensor::{Device, Tensor, TensorData};

use dsno_ode::{Denoiser, NoiseLevel, Prediction};

use crate::family::unet::tests::small;
use crate::{NetworkConfig, OperatorConfig, Output, TemporalConvConfig, Timesteps, UNetConfig};

fn teacher() -> UNetConfig {
    UNetConfig {
        image_channels: 2,
        temporal: None,
        ..small()
    }
}

fn operator(teacher: &UNetConfig, n_modes: usize) -> OperatorConfig {
    operator_of(teacher, Some(TemporalConvConfig { n_modes }))
}

fn operator_of(teacher: &UNetConfig, temporal: Option<TemporalConvConfig>) -> OperatorConfig {
    let network = NetworkConfig::unet(teacher.clone(), Prediction::X).unwrap();
    OperatorConfig { network, temporal }
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
    let student = operator(&teacher, 3);
    let network = filled(&teacher);
    let started = student.init(2, &Device::flex()).unwrap();
    let started = started.init_from_teacher(&network).unwrap();
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
    let student = operator(&joint, 2);
    assert_eq!(student.as_unet().unwrap().output, Output::State);
    let network = filled(&joint);
    let started = student.init(2, &Device::flex()).unwrap();
    let started = started.init_from_teacher(&network).unwrap();
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
    assert!(operator_of(&joint, None).validate().is_ok());
    let impossible = UNetConfig {
        temporal: Some(TemporalConvConfig { n_modes: 1 }),
        ..joint
    };
    let error = impossible.validate().unwrap_err().to_string();
    assert!(error.contains("state-and-noise"), "{error}");
}

/// Tiny teachers of every family but ours, without attention and with it.
fn foreign() -> Vec<NetworkConfig> {
    let guided = r#"
        architecture = { image_size = 4, image_channels = 2, num_channels = 32, num_res_blocks = 1,             channel_mult = [1, 2], attention_resolutions = [2], num_heads = 2,             use_scale_shift_norm = true, resblock_updown = true, conv_resample = true,             use_new_attention_order = false, num_classes = 3, learn_sigma = true, dropout = 0.0,             process = { kind = "table", prediction = "epsilon", rescale_timesteps = true,                 schedule = { kind = "discrete-squared-cosine", entries = 50 } } }
    "#;
    let diffusers = r#"
        architecture = { sample_size = 4, in_channels = 2, out_channels = 2,             center_input_sample = true, freq_shift = 1, flip_sin_to_cos = false,             down_block_types = ["AttnDownBlock2D", "DownBlock2D"],             mid_block_type = "UNetMidBlock2D", up_block_types = ["UpBlock2D", "AttnUpBlock2D"],             block_out_channels = [8, 16], layers_per_block = 1, mid_block_scale_factor = 1.5,             downsample_padding = 0, downsample_type = "conv", upsample_type = "conv",             dropout = 0.0, norm_num_groups = 4, norm_eps = 1e-6,             resnet_time_scale_shift = "default", add_attention = true, num_class_embeds = 3,             process = { kind = "table", prediction = "v", rescale_timesteps = false,                 schedule = { kind = "discrete-linear", entries = 100, beta_start = 0.001, beta_end = 0.2 } } }
    "#;
    let consistency = r#"
        architecture = { image_size = 4, image_channels = 2, num_channels = 32, num_res_blocks = 1,             channel_mult = [1], attention_resolutions = [], num_heads = 1,             use_scale_shift_norm = false, resblock_updown = false, conv_resample = true,             use_new_attention_order = true, num_classes = 3, learn_sigma = false, dropout = 0.0,             process = { kind = "karras", sigma_data = 0.5, sigma_min = 0.002 } }
    "#;
    let dhariwal = r#"
        architecture = { img_resolution = 4, img_channels = 2, label_dim = 3, augment_dim = 2,             model_channels = 64, channel_mult = [1, 2], channel_mult_emb = 2, num_blocks = 1,             attn_resolutions = [2], dropout = 0.0, model = { model_type = "DhariwalUNet" },             preconditioning = { class_name = "EDMPrecond", sigma_data = 0.5 } }
    "#;
    let song = r#"
        architecture = { img_resolution = 8, img_channels = 2, label_dim = 3, augment_dim = 0,             model_channels = 8, channel_mult = [1, 2], channel_mult_emb = 2, num_blocks = 1,             attn_resolutions = [4], dropout = 0.0,             model = { model_type = "SongUNet", embedding_type = "fourier", channel_mult_noise = 2,                 encoder_type = "residual", decoder_type = "skip", resample_filter = [1, 3, 3, 1] },             preconditioning = { class_name = "iDDPMPrecond", C_1 = 0.001, C_2 = 0.008, M = 1000 } }
    "#;
    let skips = song
        .replace("residual", "skip")
        .replace(
            "\"fourier\", channel_mult_noise = 2",
            "\"positional\", channel_mult_noise = 1",
        )
        .replace(
            "\"iDDPMPrecond\", C_1 = 0.001, C_2 = 0.008, M = 1000",
            "\"EDMPrecond\", sigma_data = 0.5",
        );
    let families = [
        ("guided-diffusion", guided),
        ("diffusers", diffusers),
        ("guided-diffusion", consistency),
        ("edm", dhariwal),
        ("edm", song),
        ("edm", &skips),
    ];
    let read = |(family, text): (&str, &str)| {
        let table = toml::from_str(text.trim()).unwrap();
        NetworkConfig::read(family, table).unwrap()
    };
    families.map(read).into()
}

#[test]
fn an_operator_of_any_family_is_its_teachers_clean_prediction_at_every_time() {
    let device = Device::flex();
    for config in foreign() {
        let network = shaken(config.init(1, &device));
        let temporal = Some(TemporalConvConfig { n_modes: 3 });
        let operator = OperatorConfig {
            network: config.clone(),
            temporal,
        };
        let started = operator.init(2, &device).unwrap();
        let started = started.init_from_teacher(&network).unwrap();
        let mut weights = started.state_dict();
        let mut temporal = 0;
        for (_, tensor) in weights
            .iter_mut()
            .filter(|(n, _)| n.starts_with("temporal."))
        {
            tensor.values.fill(0.0);
            temporal += 1;
        }
        assert!(temporal > 2, "{config:?}");
        let started = started.load_state_dict(weights).unwrap();

        let [c, size, _] = config.image_shape();
        let (z, labels) = (waves([2, c, size, size]), [0, 2]);
        let log_snrs = [-6.0, -1.0, 0.5, 2.0, 5.0];
        let trajectory = started.forward(z.clone(), Timesteps::Shared(&log_snrs), Some(&labels));
        let model = network.denoiser(Some(labels.to_vec()), false);
        for (i, log_snr) in log_snrs.into_iter().enumerate() {
            let expected = model.denoise(z.clone(), NoiseLevel::from_log_snr(log_snr));
            let found: Tensor<4> = trajectory.clone().narrow(1, i, 1).squeeze_dim(1);
            let size = expected.clone().abs().max().into_scalar::<f32>();
            let error = (found - expected).abs().max().into_scalar::<f32>();
            assert!(
                error <= 1e-5 * size.max(1.0),
                "{config:?} at {log_snr}: {error}"
            );
        }
        // At the end of a process without noise, λ is infinite; networks are told the range's end.
        let ends = [20.0, f64::INFINITY].map(|end| {
            let end = [end];
            let end = started.forward(z.clone(), Timesteps::Shared(&end), Some(&labels));
            end.into_data()
        });
        assert_eq!(ends[0], ends[1], "{config:?}");
        // What it learns on top starts at nothing, but not without a gradient.
        let learning = operator.init(2, &device.clone().autodiff()).unwrap();
        let head = &crate::weights::named_parameters(&learning)["head.weight"];
        assert_eq!(head.shape[0], 2 * c);
        let count = started.state_dict().len();
        assert!(count > network.state_dict().len());
    }
}

/// The network with weights of order one everywhere, what is not trained apart.
fn shaken(network: crate::UNet) -> crate::UNet {
    let mut weights = network.state_dict();
    for (phase, (name, tensor)) in weights.iter_mut().enumerate() {
        if name == "u" || name.ends_with("resample_filter") || name.ends_with("freqs") {
            continue;
        }
        let fan_in: usize = tensor.shape[1..].iter().product();
        for (k, value) in tensor.values.iter_mut().enumerate() {
            *value = (0.7 * k as f32 + phase as f32).cos() / (fan_in as f32).sqrt();
        }
    }
    network.load_state_dict(weights).unwrap()
}
