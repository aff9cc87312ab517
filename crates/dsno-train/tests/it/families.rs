//! Teachers of every family: their folders, their trajectories, students of theirs.

use std::error::Error;
use std::fs;

use burn::tensor::{Device, Tensor};
use dsno_data::noise;
use dsno_data::store::TrajectoryStore;
use dsno_model::{
    BackboneError, DescriptionError, ModelError, Student, Teacher, TeacherArchitecture,
    TeacherArchitectureError, TeacherDescription, backbone,
};
use dsno_ode::{Denoiser, GridKind, NoiseLevel, NoiseSchedule, Prediction, Schedule, SolverKind};
use dsno_operator::foreign::ddpm::Process;
use dsno_operator::foreign::edm::{EdmArchitecture, EdmModel, Preconditioning};
use dsno_operator::foreign::guided::GuidedArchitecture;
use dsno_operator::{Heads, Output, TemporalConvConfig, UNetConfig};
use dsno_train::{
    Adam, CollectJob, CollectRecipe, Decay, Distance, DistillJob, DistillRecipe, LearningRate,
    Outcome, Silent, StoreDtype, TimeWeight, TrainError, TrainingRecipe, collect, distill,
};

use crate::alone;

type Checked = Result<(), Box<dyn Error>>;

fn table() -> NoiseSchedule {
    toml::from_str("kind = 'discrete-linear'\nentries = 100\nbeta_start = 0.001\nbeta_end = 0.2")
        .unwrap()
}

fn guided() -> TeacherArchitecture {
    TeacherArchitecture::Guided(GuidedArchitecture {
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
        process: Process::Table {
            prediction: Prediction::Epsilon,
            rescale_timesteps: false,
            schedule: table(),
        },
    })
}

fn diffusers() -> TeacherArchitecture {
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
    TeacherArchitecture::Diffusers(toml::from_str(keys).unwrap())
}

fn edm() -> TeacherArchitecture {
    TeacherArchitecture::Edm(EdmArchitecture {
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
}

fn student(classes: usize) -> UNetConfig {
    UNetConfig {
        image_size: 4,
        image_channels: 1,
        base_channels: 8,
        embedding_channels: 8,
        channel_multipliers: vec![1, 2],
        res_blocks: 1,
        attention_resolutions: vec![],
        heads: Heads::Count(1),
        attention_groups: 4,
        residual_groups: None,
        classes,
        dropout: 0.0,
        temporal: None,
        output: Output::State,
    }
}

fn own() -> TeacherArchitecture {
    TeacherArchitecture::Unet {
        architecture: student(0),
        prediction: Prediction::V,
    }
}

fn teacher(architecture: &TeacherArchitecture, device: &Device) -> Teacher {
    let given = match architecture {
        TeacherArchitecture::Unet { .. } => Some(dsno_ode::CosineSchedule::default().into()),
        _ => None,
    };
    let TeacherDescription { schedule, .. } =
        TeacherDescription::new(architecture.clone(), given).unwrap();
    Teacher {
        network: architecture.init(3, device).unwrap(),
        schedule,
        run: String::new(),
    }
}

#[test]
fn folders_of_every_family_come_back_as_they_were() -> Checked {
    let device = Device::flex();
    for architecture in [own(), diffusers(), guided(), edm()] {
        let family = architecture.family();
        let home = tempfile::tempdir()?;
        let made = teacher(&architecture, &device);
        made.save(home.path())?;
        let found = Teacher::load(home.path(), &device)?;
        assert_eq!(found.network.architecture(), architecture, "{family}");
        assert_eq!(found.network.state_dict(), made.network.state_dict());
        assert_eq!(found.schedule, made.schedule, "{family}");
        assert_eq!(found.weights_sha256(), made.weights_sha256());
        let described = TeacherDescription::read(home.path())?;
        assert_eq!(described.architecture, architecture, "{family}");

        let card = fs::read_to_string(home.path().join("model.toml"))?;
        let says = card.contains(&format!("family = \"{family}\""));
        assert_eq!(says, family.name() != "unet", "{card}");
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
    teacher(&edm(), &device).save(home.path())?;
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
    for architecture in [own(), diffusers(), guided(), edm()] {
        let teacher = teacher(&architecture, &device);
        let labels = (teacher.classes() > 0).then(|| vec![1]);
        let z_t = Tensor::<4>::full([1, 1, 4, 4], f32::INFINITY, &device);
        let model = teacher.denoiser(labels, true);
        let x_hat = model.denoise(z_t, NoiseLevel::from_log_snr(1.0));
        let broken = x_hat.is_nan().any().into_scalar::<bool>();
        assert!(broken, "{}", architecture.family());
    }
}

#[test]
fn a_student_of_another_family_starts_afresh_and_learns() -> Checked {
    let _alone = alone();
    let device = Device::flex();
    for architecture in [diffusers(), guided(), edm()] {
        let family = architecture.family();
        let home = tempfile::tempdir()?;
        let (store, folder) = (home.path().join("store"), home.path().join("student"));
        let teacher = teacher(&architecture, &device);
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
        assert_eq!(stored.spec().log_snr[3], f64::INFINITY, "{family}");
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
        let backbone = student(teacher.classes());
        let job = DistillJob {
            teacher: &teacher,
            architecture: Some(&backbone),
            temporal: Some(TemporalConvConfig { n_modes: 2 }),
            recipe: &recipe,
            loss: None,
            seed: 4,
            store: &store,
            folder: &folder,
        };
        assert_eq!(distill(&job, &device, &mut Silent)?, Outcome::Finished);
        let student = Student::load(&folder.join("model"), &device)?;
        assert_eq!(student.schedule, teacher.schedule, "{family}");
        let labels = (teacher.classes() > 0).then_some(&[0, 2][..]);
        let noise = noise::batch(9, 0..2, [1, 4, 4], &device);
        let trajectory = student.trajectory(noise, labels);
        assert_eq!(trajectory.dims(), [2, 3, 1, 4, 4]);
        let sum = trajectory.sum().into_scalar::<f32>();
        assert!(sum.is_finite(), "{family}: {sum}");

        let job = DistillJob {
            architecture: None,
            ..job
        };
        let error = distill(&job, &device, &mut Silent).unwrap_err();
        let expected = BackboneError::Absent { family };
        assert!(matches!(error, TrainError::Backbone(found) if found == expected));
    }
    Ok(())
}

#[test]
fn backbones_that_do_not_fit_their_teacher_are_refused() {
    let refused = |teacher: &TeacherArchitecture, given: Option<&UNetConfig>| {
        backbone(teacher, given).unwrap_err().to_string()
    };
    assert!(refused(&own(), Some(&student(0))).contains("leave `architecture` out"));
    assert!(refused(&edm(), None).contains("family `edm`"));
    assert!(refused(&edm(), Some(&student(2))).contains("2 classes, the teacher 0"));
    let change = |change: &dyn Fn(&mut UNetConfig)| {
        let mut changed = student(0);
        change(&mut changed);
        refused(&edm(), Some(&changed))
    };
    assert!(
        change(&|a| a.temporal = Some(TemporalConvConfig { n_modes: 2 })).contains("`n_modes`")
    );
    assert!(change(&|a| a.output = Output::StateAndNoise).contains("`state-and-noise`"));
    assert!(change(&|a| a.image_size = 8).contains("[1, 8, 8]"));
    assert!(change(&|a| a.base_channels = 2).contains("base_channels is 2"));
    // Of image and noise side by side, a student has the image.
    let joint = TeacherArchitecture::Unet {
        architecture: UNetConfig {
            output: Output::StateAndNoise,
            ..student(0)
        },
        prediction: Prediction::X,
    };
    assert_eq!(backbone(&joint, None), Ok(student(0)));
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

    let TeacherArchitecture::Diffusers(mut vectors) = diffusers() else {
        unreachable!();
    };
    vectors.class_embed_type = Some(dsno_operator::foreign::diffusers::ClassEmbedType::Identity);
    let refused = TeacherArchitecture::Diffusers(vectors).validate();
    assert_eq!(refused, Err(TeacherArchitectureError::Vectors));

    let temporal = TeacherArchitecture::Unet {
        architecture: UNetConfig {
            temporal: Some(TemporalConvConfig { n_modes: 2 }),
            ..student(0)
        },
        prediction: Prediction::X,
    };
    assert_eq!(temporal.validate(), Err(TeacherArchitectureError::Temporal));
}
