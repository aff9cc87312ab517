//! Teachers of every family: their folders, their trajectories, students of theirs.

use std::error::Error;
use std::fs;

use burn::tensor::{Device, Tensor};
use dsno_data::noise;
use dsno_data::store::TrajectoryStore;
use dsno_model::{
    DescriptionError, ModelError, Student, Teacher, TeacherDescription, student_config,
};
use dsno_ode::{Denoiser, GridKind, NoiseLevel, NoiseSchedule, Prediction, Schedule, SolverKind};
use dsno_operator::family::diffusers::{ClassEmbedType, DiffusersConfig};
use dsno_operator::family::edm::{EdmConfig, EdmModel, Preconditioning};
use dsno_operator::family::guided_diffusion::GuidedDiffusionConfig;
use dsno_operator::{
    ConfigError, DdpmProcess, Heads, NetworkConfig, Output, TemporalConvConfig, UNetConfig,
};
use dsno_train::{
    Adam, CollectJob, CollectRecipe, Decay, Distance, DistillJob, DistillRecipe, LearningRate,
    Observer, Outcome, Progress, Silent, StoreDtype, TimeWeight, TrainingRecipe, collect, distill,
};

use crate::alone;

type Checked = Result<(), Box<dyn Error>>;

fn table() -> NoiseSchedule {
    toml::from_str("kind = 'discrete-linear'\nentries = 100\nbeta_start = 0.001\nbeta_end = 0.2")
        .unwrap()
}

fn guided() -> NetworkConfig {
    NetworkConfig::new(GuidedDiffusionConfig {
        image_size: 4,
        image_channels: 1,
        num_channels: 32,
        num_res_blocks: 1,
        channel_mult: vec![1.0],
        attention_resolutions: vec![],
        num_heads: 1,
        num_head_channels: None,
        num_heads_upsample: None,
        use_scale_shift_norm: true,
        resblock_updown: false,
        conv_resample: true,
        use_new_attention_order: false,
        num_classes: 3,
        learn_sigma: true,
        dropout: 0.0,
        process: DdpmProcess::Table {
            prediction: Prediction::Epsilon,
            rescale_timesteps: false,
            schedule: table(),
        },
    })
    .unwrap()
}

fn diffusers() -> DiffusersConfig {
    let keys = r#"
        sample_size = 4
        in_channels = 1
        out_channels = 1
        center_input_sample = false
        freq_shift = 1
        flip_sin_to_cos = false
        down_block_types = ["DownBlock2D"]
        mid_block_type = "UNetMidBlock2D"
        up_block_types = ["UpBlock2D"]
        block_out_channels = [8]
        layers_per_block = 1
        mid_block_scale_factor = 1.0
        downsample_padding = 0
        downsample_type = "conv"
        upsample_type = "conv"
        dropout = 0.0
        norm_num_groups = 4
        norm_eps = 1e-6
        resnet_time_scale_shift = "default"
        add_attention = true
        [process]
        kind = "table"
        prediction = "epsilon"
        rescale_timesteps = false
        schedule = { kind = "discrete-squared-cosine", entries = 50 }
    "#;
    toml::from_str(keys).unwrap()
}

fn edm() -> NetworkConfig {
    NetworkConfig::new(EdmConfig {
        img_resolution: 4,
        img_channels: 1,
        label_dim: 0,
        augment_dim: 0,
        model_channels: 8,
        channel_mult: vec![1],
        channel_mult_emb: 2,
        num_blocks: 1,
        attn_resolutions: vec![],
        dropout: 0.0,
        model: EdmModel::DhariwalUNet {},
        preconditioning: Preconditioning::Edm { sigma_data: 0.5 },
    })
    .unwrap()
}

fn student(classes: usize) -> UNetConfig {
    UNetConfig::new(4, 1)
        .with_base_channels(8)
        .with_embedding_channels(8)
        .with_channel_multipliers(vec![1, 2])
        .with_res_blocks(1)
        .with_attention_resolutions(vec![])
        .with_heads(Heads::Count(1))
        .with_attention_groups(4)
        .with_classes(classes)
        .with_dropout(0.0)
}

fn own() -> NetworkConfig {
    NetworkConfig::unet(student(0), Prediction::V).unwrap()
}

fn families() -> [NetworkConfig; 4] {
    let diffusers = NetworkConfig::new(diffusers()).unwrap();
    [own(), diffusers, guided(), edm()]
}

fn teacher(network: NetworkConfig, device: &Device) -> Teacher {
    let cosine = || dsno_ode::CosineSchedule::default().into();
    let given = network.as_unet().map(|_| cosine());
    let description = TeacherDescription::new(network, given).unwrap();
    description.init(3, device)
}

#[test]
fn folders_of_every_family_come_back_as_they_were() -> Checked {
    let device = Device::flex();
    for network in families() {
        let family = network.family();
        let home = tempfile::tempdir()?;
        let made = teacher(network.clone(), &device);
        made.save(home.path())?;
        let found = Teacher::load(home.path(), &device)?;
        assert_eq!(found.config, network, "{family}");
        assert_eq!(found.network.state_dict(), made.network.state_dict());
        assert_eq!(found.schedule, made.schedule, "{family}");
        assert_eq!(found.weights_sha256(), made.weights_sha256());
        let described = TeacherDescription::read(home.path())?;
        assert_eq!(described.network, network, "{family}");

        let card = fs::read_to_string(home.path().join("model.toml"))?;
        let says = card.contains(&format!("family = \"{family}\""));
        assert_eq!(says, family.name != "unet", "{card}");
        let again = tempfile::tempdir()?;
        found.save(again.path())?;
        for file in ["model.toml", "model.safetensors"] {
            let bytes = |folder: &tempfile::TempDir| fs::read(folder.path().join(file)).unwrap();
            assert_eq!(bytes(&home), bytes(&again), "{family}: {file}");
        }

        let other = card.replace("kind = \"teacher\"", "kind = \"teacher\"\nfamily = \"gan\"");
        fs::write(home.path().join("model.toml"), other)?;
        let error = Teacher::load(home.path(), &device).unwrap_err();
        assert!(matches!(error, ModelError::Card { .. }), "{error}");
    }
    Ok(())
}

#[test]
fn damaged_weights_of_another_family_are_refused() -> Checked {
    let (device, home) = (Device::flex(), tempfile::tempdir()?);
    teacher(edm(), &device).save(home.path())?;
    let path = home.path().join("model.safetensors");
    let mut bytes = fs::read(&path)?;
    bytes.pop();
    fs::write(&path, bytes)?;
    let error = Teacher::load(home.path(), &device).unwrap_err();
    assert!(matches!(error, ModelError::Digest { .. }), "{error}");
    Ok(())
}

#[test]
fn the_shipped_teacher_is_written_as_it_was_read() -> Checked {
    let (device, home) = (Device::flex(), tempfile::tempdir()?);
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/fashion-teacher");
    Teacher::load(shipped.as_ref(), &device)?.save(home.path())?;
    for file in ["model.toml", "model.safetensors"] {
        let bytes = |folder: &std::path::Path| fs::read(folder.join(file)).unwrap();
        assert_eq!(bytes(home.path()), bytes(shipped.as_ref()), "{file}");
    }
    Ok(())
}

#[test]
fn a_clamped_teacher_hides_no_broken_prediction() {
    let device = Device::flex();
    for network in families() {
        let family = network.family();
        let teacher = teacher(network, &device);
        let labels = (teacher.classes() > 0).then(|| vec![1]);
        let z_t = Tensor::<4>::full([1, 1, 4, 4], f32::INFINITY, &device);
        let model = teacher.denoiser(labels, true);
        let x_hat = model.denoise(z_t, NoiseLevel::from_log_snr(1.0));
        let broken = x_hat.is_nan().any().into_scalar::<bool>();
        assert!(broken, "{family}");
    }
}

#[test]
fn students_of_every_family_start_at_their_teacher_and_learn() -> Checked {
    let _alone = alone();
    let device = Device::flex();
    for network in families() {
        let family = network.family();
        let home = tempfile::tempdir()?;
        let (store, folder) = (home.path().join("store"), home.path().join("student"));
        let teacher = teacher(network, &device);
        let recipe = CollectRecipe {
            trajectories: 8,
            solver: SolverKind::Ddim,
            steps: 4,
            grid: GridKind::Uniform,
            record: vec![1.0, 0.5, 0.25, 0.0],
            clamp: true,
            batch_size: 4,
            shard_trajectories: 4,
            dtype: StoreDtype::F32,
        };
        let job = CollectJob {
            teacher: &teacher,
            recipe: &recipe,
            seed: 3,
            store: &store,
            workers: 1,
        };
        assert_eq!(collect(&job, &device, &mut Silent)?, Outcome::Finished);
        let stored = TrajectoryStore::open(&store)?;
        let own = teacher.config.as_unet().is_some();
        let end = if own { 20.0 } else { f64::INFINITY };
        assert_eq!(stored.spec().log_snr[3], end, "{family}");
        // The first state is the noise, in the units of the schedule.
        let at_one = teacher.schedule.at(1.0);
        let factor = if at_one.scale() == 1.0 { 1.0 } else { 80.0 };
        for (found, noise) in stored.read(&[5])?.iter().zip(noise::gaussian(3, 5, 16)) {
            assert!((found - factor * noise).abs() <= 1e-5 * factor, "{family}");
        }

        let recipe = DistillRecipe {
            distance: Distance::L2,
            weight: TimeWeight::RootSnr { min: 1.0, max: 1e4 },
            training: TrainingRecipe {
                total_images: 16,
                batch_size: 8,
                microbatches: 1,
                learning_rate: LearningRate {
                    peak: 1e-3,
                    warmup_images: 8,
                    decay: Decay::Constant {},
                },
                adam: Adam {
                    beta_1: 0.9,
                    beta_2: 0.999,
                },
                ema_half_life_images: 0.0,
                checkpoint_images: 8,
                log_images: 8,
            },
        };
        let job = DistillJob {
            teacher: &teacher,
            architecture: None,
            temporal: Some(TemporalConvConfig { n_modes: 2 }),
            recipe: &recipe,
            loss: None,
            seed: 4,
            store: &store,
            folder: &folder,
        };
        assert_eq!(distill(&job, &device, &mut Silent)?, Outcome::Finished);
        let made = Student::load(&folder.join("model"), &device)?;
        assert_eq!(made.schedule, teacher.schedule, "{family}");
        let labels = (teacher.classes() > 0).then_some(&[0, 2][..]);
        let noise = noise::batch(9, 0..2, [1, 4, 4], &device);
        let trajectory = made.trajectory(noise, labels);
        assert_eq!(trajectory.dims(), [2, 3, 1, 4, 4]);
        let sum = trajectory.sum().into_scalar::<f32>();
        assert!(sum.is_finite(), "{family}: {sum}");

        // A network of another shape is a student too; it starts at fresh weights.
        let other = student(teacher.classes()).with_base_channels(16);
        let job = DistillJob {
            architecture: Some(&other),
            ..job
        };
        assert_eq!(distill(&job, &device, &mut Silent)?, Outcome::Finished);
        let made = Student::load(&folder.join("model"), &device)?;
        let (found, _) = made.config.network.as_unet().unwrap();
        assert_eq!(*found, other, "{family}");
    }
    Ok(())
}

/// The same teacher with random weights in place of fresh ones, of which many are zero.
fn randomised(teacher: Teacher, seed: u64) -> Teacher {
    let mut weights = teacher.network.state_dict();
    for (number, tensor) in weights.values_mut().enumerate() {
        let count = tensor.values.len();
        let draws = noise::gaussian(seed, number as u64, count);
        for (value, draw) in tensor.values.iter_mut().zip(draws) {
            *value += 0.1 * draw;
        }
    }
    let network = teacher.network.load_state_dict(weights).unwrap();
    Teacher { network, ..teacher }
}

/// Keeps the losses of a training.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn progress(&mut self, progress: &Progress) {
        self.0.extend(progress.loss);
    }

    fn stop_requested(&self) -> bool {
        false
    }
}

#[test]
fn fifty_steps_from_the_teachers_weights_beat_a_fresh_start() -> Checked {
    let _alone = alone();
    let device = Device::flex();
    let home = tempfile::tempdir()?;
    let store = home.path().join("store");
    let mut config = diffusers();
    // Of random networks, one that predicts images leads somewhere.
    config.process = DdpmProcess::Table {
        prediction: Prediction::X,
        rescale_timesteps: false,
        schedule: table(),
    };
    let network = NetworkConfig::new(config)?;
    let mut made = randomised(teacher(network.clone(), &device), 1);
    // Its images are bright, which is what a fresh start has to learn first.
    let mut weights = made.network.state_dict();
    let bias = weights.get_mut("conv_out.bias").unwrap();
    bias.values.fill(0.8);
    made.network = made.network.load_state_dict(weights)?;
    let recipe = CollectRecipe {
        trajectories: 64,
        solver: SolverKind::Ddim,
        steps: 10,
        grid: GridKind::Uniform,
        record: vec![1.0, 0.06, 0.04, 0.02, 0.0],
        clamp: true,
        batch_size: 32,
        shard_trajectories: 64,
        dtype: StoreDtype::F32,
    };
    let job = CollectJob {
        teacher: &made,
        recipe: &recipe,
        seed: 5,
        store: &store,
        workers: 1,
    };
    assert_eq!(collect(&job, &device, &mut Silent)?, Outcome::Finished);
    let recipe = DistillRecipe {
        distance: Distance::L2,
        weight: TimeWeight::Uniform {},
        training: TrainingRecipe {
            total_images: 50 * 16,
            batch_size: 16,
            microbatches: 1,
            learning_rate: LearningRate {
                peak: 1e-3,
                warmup_images: 80,
                decay: Decay::Constant {},
            },
            adam: Adam {
                beta_1: 0.9,
                beta_2: 0.999,
            },
            ema_half_life_images: 0.0,
            checkpoint_images: 50 * 16,
            log_images: 16,
        },
    };
    // The mean loss of the last ten of fifty steps, of a student that starts at these weights.
    let last = |start: &Teacher, folder: &str| -> Result<f64, Box<dyn Error>> {
        let mut losses = Losses::default();
        let job = DistillJob {
            teacher: start,
            architecture: None,
            temporal: Some(TemporalConvConfig { n_modes: 2 }),
            recipe: &recipe,
            loss: None,
            seed: 6,
            store: &store,
            folder: &home.path().join(folder),
        };
        assert_eq!(distill(&job, &device, &mut losses)?, Outcome::Finished);
        assert_eq!(losses.0.len(), 50);
        Ok(losses.0[40..].iter().sum::<f64>() / 10.0)
    };
    // Weights that have nothing to do with the teacher's are a fresh start.
    let from_teacher = last(&made, "teacher")?;
    let fresh = last(&teacher(network.clone(), &device), "fresh")?;
    let other = last(&randomised(teacher(network, &device), 2), "other")?;
    assert!(from_teacher < fresh, "{from_teacher} against {fresh}");
    assert!(from_teacher < other, "{from_teacher} against {other}");
    println!("{from_teacher:.4} from the teacher, {fresh:.4} fresh, {other:.4} from others");
    Ok(())
}

#[test]
fn networks_that_do_not_fit_their_teacher_are_refused() {
    let refused = |teacher: &NetworkConfig, given: &UNetConfig| {
        let refused = student_config(teacher, Some(given), None, None);
        refused.unwrap_err().to_string()
    };
    assert!(refused(&edm(), &student(2)).contains("2 classes, the teacher 0"));
    let change = |changed: UNetConfig| refused(&edm(), &changed);
    let temporal = Some(TemporalConvConfig { n_modes: 2 });
    assert!(change(student(0).with_temporal(temporal)).contains("`n_modes`"));
    assert!(change(student(0).with_output(Output::StateAndNoise)).contains("`state-and-noise`"));
    assert!(change(UNetConfig::new(8, 1).with_base_channels(32)).contains("[1, 8, 8]"));
    assert!(change(student(0).with_base_channels(2)).contains("`base_channels` is 2"));
    // Of image and noise side by side, a student has the image.
    let joint = student(0).with_output(Output::StateAndNoise);
    let joint = NetworkConfig::unet(joint, Prediction::X).unwrap();
    let student_of_it = student_config(&joint, None, None, None).unwrap();
    assert_eq!(student_of_it.as_unet(), Some(student(0)));
    // Its own architecture is that of its teacher.
    let given = student_config(&own(), Some(&student(0)), None, None);
    assert_eq!(given, student_config(&own(), None, None, None));
    let modes = student_config(&edm(), None, temporal, Some(2));
    assert!(modes.is_ok());
    let temporal = Some(TemporalConvConfig { n_modes: 3 });
    let modes = student_config(&edm(), None, temporal, Some(2));
    assert!(modes.unwrap_err().to_string().contains("3 temporal modes"));
}

#[test]
fn descriptions_that_contradict_themselves_are_refused() {
    let cosine: NoiseSchedule = dsno_ode::CosineSchedule::default().into();
    let refused = TeacherDescription::new(guided(), Some(cosine.clone()));
    assert_eq!(refused, Err(DescriptionError::OtherSchedule));
    assert_eq!(
        TeacherDescription::new(guided(), None).unwrap().schedule,
        table()
    );
    let taken = TeacherDescription::new(edm(), Some(cosine.clone()));
    assert_eq!(taken.unwrap().schedule, cosine);

    let mut vectors = diffusers();
    vectors.class_embed_type = Some(ClassEmbedType::Identity);
    let refused = NetworkConfig::new(vectors).unwrap().check_teacher();
    assert_eq!(refused, Err(ConfigError::Vectors));

    let temporal = student(0).with_temporal(Some(TemporalConvConfig { n_modes: 2 }));
    let temporal = NetworkConfig::unet(temporal, Prediction::X).unwrap();
    assert_eq!(temporal.check_teacher(), Err(ConfigError::TemporalTeacher));
}
