//! Reads `config.json` and `scheduler_config.json`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::DiffusersConfigError;
use super::keys::Keys;
use super::network::{DiffusersConfig, MidBlockType, ResampleType, TimeScaleShift};
use super::notice::Notice;
use super::scheduler::process;
use crate::family::FamilyConfig;

const CONFIG: &str = "config.json";
const SCHEDULER: &str = "scheduler_config.json";

impl DiffusersConfig {
    /// Reads the architecture from the folder of the original.
    ///
    /// `config.json` lies in the folder or in its `unet`; `scheduler_config.json` beside it, or in a
    /// `scheduler` of either folder.
    ///
    /// # Errors
    ///
    /// [`DiffusersConfigError::Read`] if a file is missing, and those of [`from_json`](Self::from_json).
    pub fn from_folder(folder: &Path) -> Result<Self, DiffusersConfigError> {
        let unet = folder.join("unet");
        let config = first_of([folder.join(CONFIG), unet.join(CONFIG)])?;
        let beside = config.parent().unwrap_or(folder);
        let scheduler = first_of([
            beside.join(SCHEDULER),
            folder.join("scheduler").join(SCHEDULER),
            beside.join("..").join("scheduler").join(SCHEDULER),
        ])?;
        Self::from_json(&read(config)?, &read(scheduler)?)
    }

    /// Reads the architecture from the text of `config.json` and of `scheduler_config.json`.
    ///
    /// Absent keys have the defaults of the original.
    ///
    /// # Errors
    ///
    /// * [`DiffusersConfigError::Json`] or [`DiffusersConfigError::Other`] if a text is no JSON object;
    /// * [`DiffusersConfigError::Unsupported`] for the first key that is not known and may shape the
    ///   network, or whose value cannot be built here;
    /// * [`DiffusersConfigError::NoSampleSize`] if the size of the images is not said;
    /// * [`DiffusersConfigError::Missing`] for a key without which a file says nothing;
    /// * [`DiffusersConfigError::Schedule`] and [`DiffusersConfigError::Architecture`] if all values are
    ///   known, and do not go together.
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_operator::NetworkConfig;
    /// use dsno_operator::family::diffusers::DiffusersConfig;
    ///
    /// let config = r#"{
    ///     "_class_name": "UNet2DModel", "sample_size": 32, "in_channels": 3, "out_channels": 3,
    ///     "block_out_channels": [128, 256, 256, 256], "layers_per_block": 2,
    ///     "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
    ///     "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    ///     "attention_head_dim": null, "downsample_padding": 0, "norm_eps": 1e-06,
    ///     "flip_sin_to_cos": false, "freq_shift": 1
    /// }"#;
    /// let scheduler = r#"{
    ///     "_class_name": "DDPMScheduler", "num_train_timesteps": 1000,
    ///     "beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02
    /// }"#;
    /// let architecture = DiffusersConfig::from_json(config, scheduler)?;
    /// assert_eq!(NetworkConfig::new(architecture)?.parameter_count(), 35_746_307);
    ///
    /// let other = config.replace("\"AttnDownBlock2D\"", "\"SkipDownBlock2D\"");
    /// let error = DiffusersConfig::from_json(&other, scheduler).unwrap_err();
    /// assert!(error.to_string().contains("`down_block_types`"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json(config: &str, scheduler: &str) -> Result<Self, DiffusersConfigError> {
        Ok(Self::from_json_with(config, scheduler, None)?.0)
    }

    /// As [`from_json`](Self::from_json), for images of `image_size` pixels if that is given, and with what
    /// a user should be told.
    ///
    /// Both texts may be as Python writes them: with `NaN` and `Infinity`, behind a byte-order mark.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    pub fn from_json_with(
        config: &str,
        scheduler: &str,
        image_size: Option<usize>,
    ) -> Result<(Self, Vec<Notice>), DiffusersConfigError> {
        let mut notices = Vec::new();
        let mut keys = Keys::parse(CONFIG, config)?;
        keys.only("_class_name", "UNet2DModel", &["UNet2DModel"])?;
        keys.only("time_embedding_type", "positional", &["positional"])?;
        keys.only("act_fn", "silu", &["silu", "swish"])?;
        // Only read by learned time embeddings.
        keys.take::<Option<usize>>("num_train_timesteps", None)?;
        let stored_size = sample_size(&mut keys)?;
        let architecture = Self {
            sample_size: match image_size {
                Some(given) => given,
                None => {
                    stored_size.map_err(|found| DiffusersConfigError::NoSampleSize { found })?
                }
            },
            in_channels: keys.take("in_channels", 3)?,
            out_channels: keys.take("out_channels", 3)?,
            center_input_sample: keys.take("center_input_sample", false)?,
            freq_shift: keys.take("freq_shift", 0)?,
            flip_sin_to_cos: keys.take("flip_sin_to_cos", true)?,
            time_embedding_dim: keys.take("time_embedding_dim", None)?,
            down_block_types: keys.needed("down_block_types")?,
            mid_block_type: keys.take("mid_block_type", Some(MidBlockType::Plain))?,
            up_block_types: keys.needed("up_block_types")?,
            block_out_channels: keys.needed("block_out_channels")?,
            layers_per_block: keys.take("layers_per_block", 2)?,
            mid_block_scale_factor: keys.take("mid_block_scale_factor", 1.0)?,
            downsample_padding: keys.take("downsample_padding", 1)?,
            downsample_type: keys.take("downsample_type", ResampleType::Conv)?,
            upsample_type: keys.take("upsample_type", ResampleType::Conv)?,
            dropout: keys.take("dropout", 0.0)?,
            attention_head_dim: keys.take("attention_head_dim", Some(8))?,
            norm_num_groups: keys.take("norm_num_groups", 32)?,
            attn_norm_num_groups: keys.take("attn_norm_num_groups", None)?,
            norm_eps: keys.take("norm_eps", 1e-5)?,
            resnet_time_scale_shift: keys
                .take("resnet_time_scale_shift", TimeScaleShift::Default)?,
            add_attention: keys.take("add_attention", true)?,
            class_embed_type: keys.take("class_embed_type", None)?,
            num_class_embeds: keys.take("num_class_embeds", None)?,
            process: process(Keys::parse(SCHEDULER, scheduler)?, &mut notices)?,
        };
        notices.extend(keys.finish()?);
        FamilyConfig::plan(&architecture)?;
        Ok((architecture, notices))
    }
}

/// Height and width of the images, which are equal; what stands there if nothing is said.
fn sample_size(keys: &mut Keys) -> Result<Result<usize, &'static str>, DiffusersConfigError> {
    let found = keys.take("sample_size", Value::from("absent"))?;
    let size = match &found {
        Value::Null => return Ok(Err("null")),
        Value::String(text) if text == "absent" => return Ok(Err("absent")),
        Value::Array(sides) => match &sides[..] {
            [side] => side.as_u64(),
            [height, width] if height == width => height.as_u64(),
            _ => None,
        },
        size => size.as_u64(),
    };
    let size = size.and_then(|size| usize::try_from(size).ok());
    let expected = "the number of pixels, or twice the same in a list";
    size.map(Ok)
        .ok_or_else(|| keys.unsupported("sample_size", found.to_string(), expected.to_owned()))
}

/// The first path that exists; the error names the first.
fn first_of<const N: usize>(paths: [PathBuf; N]) -> Result<PathBuf, DiffusersConfigError> {
    if let Some(path) = paths.iter().find(|path| path.is_file()) {
        return Ok(path.clone());
    }
    let path = paths.into_iter().next().unwrap_or_default();
    let source = io::Error::from(io::ErrorKind::NotFound);
    Err(DiffusersConfigError::Read { path, source })
}

fn read(path: PathBuf) -> Result<String, DiffusersConfigError> {
    fs::read_to_string(&path).map_err(|source| DiffusersConfigError::Read { path, source })
}
