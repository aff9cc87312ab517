use dsno_ode::{DiscreteSchedule, NoiseSchedule, Prediction};
use serde_json::{Value, json};

use super::*;
use crate::process::DdpmProcess;

fn config() -> Value {
    json!({
        "_class_name": "UNet2DModel", "_diffusers_version": "0.0.4", "act_fn": "silu",
        "attention_head_dim": null, "block_out_channels": [128, 256, 256, 256],
        "center_input_sample": false,
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
        "downsample_padding": 0, "flip_sin_to_cos": false, "freq_shift": 1, "in_channels": 3,
        "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-6, "norm_num_groups": 32,
        "out_channels": 3, "sample_size": 32, "time_embedding_type": "positional",
        "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]
    })
}

fn scheduler() -> Value {
    json!({
        "_class_name": "DDPMScheduler", "_diffusers_version": "0.1.1", "beta_end": 0.02,
        "beta_schedule": "linear", "beta_start": 0.0001, "clip_sample": true,
        "num_train_timesteps": 1000, "trained_betas": null, "variance_type": "fixed_large"
    })
}

fn read(config: &Value, scheduler: &Value) -> Result<DiffusersConfig, DiffusersConfigError> {
    DiffusersConfig::from_json(&config.to_string(), &scheduler.to_string())
}

fn parameter_count(config: &DiffusersConfig) -> usize {
    let network = crate::NetworkConfig::new(config.clone());
    network.unwrap().parameter_count()
}

#[test]
fn the_published_network_has_its_published_size_and_table() {
    let architecture = read(&config(), &scheduler()).unwrap();
    assert_eq!(parameter_count(&architecture), 35_746_307);
    let table = DiscreteSchedule::linear(1000, 1e-4, 0.02).unwrap();
    let expected = DdpmProcess::Table {
        prediction: Prediction::Epsilon,
        rescale_timesteps: false,
        schedule: NoiseSchedule::Discrete(table),
    };
    assert_eq!(architecture.process, expected);
}

#[test]
fn the_documented_file_is_the_published_network() {
    let documented = crate::family::documented_toml(include_str!("network.rs"));
    let file: DiffusersConfig = toml::from_str(&documented).unwrap();
    assert_eq!(file, read(&config(), &scheduler()).unwrap());
}

#[test]
fn what_cannot_be_built_is_refused_by_key_and_value() {
    let refused = [
        (
            "act_fn",
            json!("gelu"),
            "config.json has `act_fn` = \"gelu\"",
        ),
        (
            "time_embedding_type",
            json!("fourier"),
            "`time_embedding_type` = \"fourier\"",
        ),
        (
            "mid_block_type",
            json!("UNetMidBlock2DCrossAttn"),
            "`mid_block_type`",
        ),
        (
            "resnet_time_scale_shift",
            json!("spatial"),
            "`resnet_time_scale_shift` = \"spatial\"",
        ),
        (
            "downsample_type",
            json!("fir"),
            "`downsample_type` = \"fir\"",
        ),
        (
            "class_embed_type",
            json!("projection"),
            "`class_embed_type` = \"projection\"",
        ),
        (
            "down_block_types",
            json!(vec!["SkipDownBlock2D"; 4]),
            "SkipDownBlock2D",
        ),
        ("sample_size", json!([32, 64]), "`sample_size` = [32,64]"),
        (
            "sample_size",
            json!(null),
            "does not say the size of the images (`sample_size` is null)",
        ),
        (
            "sample_size",
            json!([32, 32, 32]),
            "`sample_size` = [32,32,32]",
        ),
        ("sample_size", json!("32"), "`sample_size` = \"32\""),
        ("decay_rate", json!(0.5), "`decay_rate` = 0.5"),
        ("skip_connections", json!(true), "`skip_connections` = true"),
        (
            "layers_per_block",
            json!(1_000_000_000_000_u64),
            "expected 1 to 256",
        ),
        (
            "_class_name",
            json!("UNet2DConditionModel"),
            "UNet2DConditionModel",
        ),
        ("downsample_padding", json!(2), "`downsample_padding` is 2"),
        ("out_channels", json!(4), "4 output channels"),
        ("sample_size", json!(36), "divisible by 8"),
        ("attention_head_dim", json!(24), "24 into heads"),
        ("norm_num_groups", json!(24), "24 groups"),
        (
            "up_block_types",
            json!(["UpBlock2D"]),
            "`up_block_types` has 1 entries",
        ),
        ("freq_shift", json!(64), "`freq_shift` is 64"),
        (
            "mid_block_scale_factor",
            json!(0),
            "`mid_block_scale_factor` is 0",
        ),
    ];
    for (key, value, words) in refused {
        let mut config = config();
        config[key] = value;
        let error = read(&config, &scheduler()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    for key in ["down_block_types", "block_out_channels"] {
        let mut config = config();
        config.as_object_mut().unwrap().remove(key);
        let error = read(&config, &scheduler()).unwrap_err();
        let expected = format!("config.json has no key `{key}`");
        assert_eq!(error.to_string(), expected);
    }
    assert!(matches!(
        DiffusersConfig::from_json("[]", "{}"),
        Err(DiffusersConfigError::Json { .. })
    ));
}

#[test]
fn schedulers_say_what_was_trained() {
    let process = |change: Value| {
        let mut scheduler = scheduler();
        let map = scheduler.as_object_mut().unwrap();
        map.extend(change.as_object().unwrap().clone());
        read(&config(), &scheduler).map(|architecture| architecture.process)
    };
    let table = |prediction, table: DiscreteSchedule| DdpmProcess::Table {
        prediction,
        rescale_timesteps: false,
        schedule: table.into(),
    };
    let read = process(json!({"beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample"}));
    let expected = table(
        Prediction::X,
        DiscreteSchedule::squared_cosine(1000).unwrap(),
    );
    assert_eq!(read.unwrap(), expected);
    let read = process(json!({"trained_betas": [0.1, 0.2], "prediction_type": "v_prediction"}));
    let expected = table(
        Prediction::V,
        DiscreteSchedule::from_betas(&[0.1, 0.2]).unwrap(),
    );
    assert_eq!(read.unwrap(), expected);
    let read = process(json!({"_class_name": "CMStochasticIterativeScheduler", "sigma_min": 0.01}));
    let expected = DdpmProcess::Karras {
        sigma_data: 0.5,
        sigma_min: 0.01,
    };
    assert_eq!(read.unwrap(), expected);

    let refused = [
        (
            json!({"beta_schedule": "laplace"}),
            "`beta_schedule` = \"laplace\"",
        ),
        (
            json!({"prediction_type": "flow"}),
            "`prediction_type` = \"flow\"",
        ),
        (
            json!({"rescale_betas_zero_snr": true}),
            "`rescale_betas_zero_snr` = true",
        ),
        (json!({"beta_end": 2.0}), "beta"),
        (
            json!({"beta_schedule": "sigmoid", "num_train_timesteps": 1_u64 << 60}),
            "entries",
        ),
    ];
    for (change, words) in refused {
        let error = process(change).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// The scheduler with changes, read with the network.
fn with_scheduler(change: &Value) -> Result<(DdpmProcess, Vec<Notice>), DiffusersConfigError> {
    let mut scheduler = scheduler();
    let map = scheduler.as_object_mut().unwrap();
    map.extend(change.as_object().unwrap().clone());
    map.retain(|_, value| *value != json!("absent"));
    let (config, scheduler) = (config().to_string(), scheduler.to_string());
    let read = DiffusersConfig::from_json_with(&config, &scheduler, None);
    read.map(|(architecture, notices)| (architecture.process, notices))
}

#[test]
fn what_python_writes_is_read() {
    let scheduler = scheduler().to_string().replace(
        "\"clip_sample\":true",
        "\"clip_sample\":true,\"lambda_min_clipped\":-Infinity,\"other\":NaN",
    );
    assert!(scheduler.contains("NaN"));
    let bom = |text: &str| format!("\u{feff}{text}");
    let config = config().to_string();
    let read = DiffusersConfig::from_json(&bom(&config), &bom(&scheduler)).unwrap();
    assert_eq!(parameter_count(&read), 35_746_307);
    // Where a number is needed, infinity is none, and none of the defaults.
    let infinite = scheduler.replace("\"beta_end\":0.02", "\"beta_end\":Infinity");
    let error = DiffusersConfig::from_json(&config, &infinite).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("`beta_end` = \"Infinity\""), "{error}");
    let heads = config.replace("\"attention_head_dim\":null", "\"attention_head_dim\":NaN");
    let error = DiffusersConfig::from_json(&heads, &scheduler).unwrap_err();
    assert!(error.to_string().contains("`attention_head_dim` = \"NaN\""));
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";
    let error = DiffusersConfig::from_json(&config, pointer).unwrap_err();
    assert!(error.to_string().contains("Git LFS"), "{error}");
}

#[test]
fn keys_that_do_not_shape_the_network_are_left_alone_and_named() {
    let mut config = config();
    let more = json!({
        "use_ema_warmup": true, "decay": 0.9999, "inv_gamma": 1.0, "min_decay": 0.0,
        "optimization_step": 10, "power": 0.75, "update_after_step": 0, "a_later_option": null
    });
    let map = config.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    let text = (config.to_string(), scheduler().to_string());
    let (architecture, notices) = DiffusersConfig::from_json_with(&text.0, &text.1, None).unwrap();
    assert_eq!(architecture, read(&self::config(), &scheduler()).unwrap());
    let [Notice::LeftAlone { keys, .. }] = &notices[..] else {
        panic!("{notices:?}");
    };
    assert_eq!(keys.len(), 8);
    assert!(notices[0].to_string().contains("`use_ema_warmup`"));
}

#[test]
fn the_size_of_images_is_a_number_a_list_or_given() {
    for (stored, given, expected) in [
        (json!(64), None, 64),
        (json!([64, 64]), None, 64),
        (json!([64]), None, 64),
        (json!(null), Some(64), 64),
        (json!("absent"), Some(64), 64),
        (json!(32), Some(64), 64),
    ] {
        let mut config = config();
        config["sample_size"] = stored;
        config
            .as_object_mut()
            .unwrap()
            .retain(|_, value| *value != json!("absent"));
        let (config, scheduler) = (config.to_string(), scheduler().to_string());
        let (read, _) = DiffusersConfig::from_json_with(&config, &scheduler, given).unwrap();
        assert_eq!(read.sample_size, expected);
    }
}

#[test]
fn schedulers_of_other_processes_are_refused_by_name() {
    for class in [
        "EDMEulerScheduler",
        "EDMDPMSolverMultistepScheduler",
        "FlowMatchEulerDiscreteScheduler",
        "FlowMatchHeunDiscreteScheduler",
        "ScoreSdeVeScheduler",
        "ScoreSdeVpScheduler",
        "KarrasVeScheduler",
        "LCMScheduler",
        "TCDScheduler",
        "IPNDMScheduler",
        "CogVideoXDDIMScheduler",
        "CosineDPMSolverMultistepScheduler",
        "DDPMWuerstchenScheduler",
        "VQDiffusionScheduler",
        "MyScheduler",
    ] {
        let error = with_scheduler(&json!({ "_class_name": class }))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("`_class_name` = \"{class}\"")),
            "{error}"
        );
    }
    for (change, words) in [
        (json!({"use_flow_sigmas": true}), "`use_flow_sigmas` = true"),
        (
            json!({"prediction_type": "flow_prediction"}),
            "flow_prediction",
        ),
        (
            json!({"timestep_type": "continuous"}),
            "`timestep_type` = \"continuous\"",
        ),
        (json!({"snr_shift_scale": 3.0}), "`snr_shift_scale` = 3.0"),
        (
            json!({"predict_epsilon": false, "prediction_type": "v_prediction"}),
            "`predict_epsilon`",
        ),
    ] {
        let error = with_scheduler(&change).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn all_samplers_of_a_table_have_one_process() {
    let expected = with_scheduler(&json!({})).unwrap().0;
    for class in [
        "absent",
        "DDIMScheduler",
        "EulerDiscreteScheduler",
        "PNDMScheduler",
        "DPMSolverMultistepScheduler",
        "UniPCMultistepScheduler",
        "FlaxDDPMScheduler",
    ] {
        let change = json!({
            "_class_name": class, "use_karras_sigmas": true, "timestep_type": "discrete",
            "rescale_betas_zero_snr": null, "flow_shift": 1.0
        });
        assert_eq!(with_scheduler(&change).unwrap().0, expected, "{class}");
    }
}

#[test]
fn the_older_key_of_the_prediction_is_honoured() {
    for (older, expected) in [
        (json!(false), Prediction::X),
        (json!(true), Prediction::Epsilon),
        (json!(null), Prediction::Epsilon),
    ] {
        let (process, _) = with_scheduler(&json!({ "predict_epsilon": older })).unwrap();
        let DdpmProcess::Table { prediction, .. } = process else {
            panic!("{process:?}");
        };
        assert_eq!(prediction, expected);
    }
}

#[test]
fn what_a_scheduler_clips_is_told() {
    for (change, expected) in [
        (json!({}), None),
        (json!({"clip_sample": "absent"}), None),
        (
            json!({"clip_sample": false}),
            Some("`clip_sample` is false"),
        ),
        (json!({"clip_sample_range": 1.0}), None),
        (json!({"clip_sample_range": 2.5}), Some("±2.5")),
        (json!({"thresholding": true}), Some("`thresholding`")),
        (
            json!({"_class_name": "EulerDiscreteScheduler"}),
            Some("EulerDiscreteScheduler"),
        ),
    ] {
        let (_, notices) = with_scheduler(&change).unwrap();
        let notices: Vec<String> = notices.iter().map(ToString::to_string).collect();
        match expected {
            None => assert!(notices.is_empty(), "{notices:?}"),
            Some(word) => assert!(
                notices.len() == 1 && notices[0].contains(word),
                "{notices:?}"
            ),
        }
    }
}

#[test]
fn no_value_of_any_key_panics_or_takes_more_than_a_moment() {
    let hostile = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1e308),
        json!(u64::MAX),
        json!(65_536),
        json!(""),
        json!([]),
        json!(vec![65_536; 200]),
        json!(vec!["DownBlock2D"; 200]),
        json!({"": []}),
    ];
    let known = [
        "time_embedding_dim",
        "mid_block_type",
        "dropout",
        "attn_norm_num_groups",
        "num_class_embeds",
        "class_embed_type",
    ];
    for value in hostile {
        let own = config();
        let keys = own.as_object().unwrap().keys().map(String::as_str);
        for key in keys.chain(known) {
            let mut config = config();
            config[key] = value.clone();
            if let Ok(architecture) = read(&config, &scheduler()) {
                assert!(parameter_count(&architecture) > 0, "{key} = {value}");
            }
        }
        let own = scheduler();
        for key in own.as_object().unwrap().keys() {
            let mut scheduler = scheduler();
            scheduler[key] = value.clone();
            drop(read(&config(), &scheduler));
        }
    }
}
