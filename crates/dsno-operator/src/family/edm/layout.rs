//! Lays the U-Nets out, and names their layers as the weight files do.

use std::f64::consts::FRAC_1_SQRT_2;

use dsno_kernels::Resample;

use super::network::{DecoderType, EdmConfig, EdmModel, EmbeddingType, EncoderType};
use super::preconditioning::Preconditioning;
use crate::check::check_groups;
use crate::config_error::ConfigError;
use crate::layout::QkvOrder;
use crate::plan::{
    AttentionOptions, Buffer, BufferValue, Builder, ClassInput, Dialect, EmbeddingPlan, HeadOutput,
    HeadPlan, Kind, Names, Path, Plan, ResidualOptions, Stage, TimestepFeatures,
};
use crate::process::Process;

/// The random frequencies of NCSN++.
const FREQUENCIES: &str = "model.map_noise.freqs";
/// Their standard deviation.
const FREQUENCY_SCALE: f64 = 16.0;
/// The noise levels of improved DDPM.
pub(crate) const LEVELS: &str = "u";
/// Channels of one attention head of a `DhariwalUNet`.
const CHANNELS_PER_HEAD: usize = 64;

const DIALECT: Dialect = Dialect {
    layer: &[
        ("norm_0", "norm0"),
        ("conv_0", "conv0"),
        ("modulation", "affine"),
        ("norm_1", "norm1"),
        ("conv_1", "conv1"),
        ("shortcut", "skip"),
        ("norm", "norm2"),
        ("qkv", "qkv"),
        ("projection", "proj"),
        ("conv", ""),
        ("head_norm", "_norm"),
        ("head_conv", "_conv"),
    ],
    older: &[],
    attention_ones: 2,
    transposed_class: true,
};

/// Groups of a normalisation: at least four channels each, at most 32.
fn groups(channels: usize) -> usize {
    (channels / 4).min(32)
}

pub(super) fn layout(arch: &EdmConfig) -> Result<Plan, ConfigError> {
    arch.check()?;
    let song = arch.is_song();
    let size = arch.img_resolution;
    // ADM applies the first multiplier to the first convolution already.
    let stem = arch.model_channels * if song { 1 } else { arch.channel_mult[0] };
    let mut layers = Layers {
        arch,
        builder: Builder::new(stem, size),
        scale: if song { FRAC_1_SQRT_2 } else { 1.0 },
    };
    layers.encoder()?;
    let [norm, head] = layers.decoder()?;
    let channels = layers.builder.channels;
    check_groups(|| norm.clone(), channels, groups(channels))?;
    let stages = layers.builder.finish();
    let frame = [
        ("embedding.dense_0", "model.map_layer0".to_owned()),
        ("embedding.dense_1", "model.map_layer1".to_owned()),
        ("embedding.class", "model.map_label".to_owned()),
        ("embedding.augment", "model.map_augment".to_owned()),
        ("stem", format!("model.enc.{size}x{size}_conv")),
        ("norm", norm),
        ("head", head),
    ];
    let taps = arch.taps();
    let sum: f64 = taps.iter().sum();
    Ok(Plan {
        image_shape: [arch.img_channels, size, size],
        embedding: embedding(arch),
        centre_input: false,
        stem_channels: stem,
        scale_shift: !song,
        dropout: arch.dropout,
        epsilon: if song { 1e-6 } else { 1e-5 },
        filter: taps.iter().map(|tap| tap / sum).collect(),
        buffers: buffers(arch, &stages),
        stages,
        head: HeadPlan {
            channels,
            groups: groups(channels),
            channels_out: arch.out_channels(),
            output: HeadOutput::Prediction,
        },
        process: Process::Edm(arch.preconditioning),
        names: Names::Foreign {
            dialect: &DIALECT,
            frame: frame.into(),
        },
    })
}

fn embedding(arch: &EdmConfig) -> EmbeddingPlan {
    let song = arch.is_song();
    let features = match arch.model {
        EdmModel::SongUNet {
            embedding_type: EmbeddingType::Fourier,
            ..
        } => TimestepFeatures::Fourier {
            stored: FREQUENCIES,
        },
        _ => TimestepFeatures::Sinusoids {
            of_log_snr: false,
            cosines_first: !song,
            shift: usize::from(song),
        },
    };
    EmbeddingPlan {
        features,
        width: arch.noise_channels(),
        channels: arch.model_channels * arch.channel_mult_emb,
        class: match arch.label_dim {
            0 => ClassInput::None,
            classes => ClassInput::OneHot {
                classes,
                bias: song,
                to_features: song,
                strength: if song { (classes as f64).sqrt() } else { 1.0 },
                optional: true,
            },
        },
        augment: arch.augment_dim,
    }
}

/// What the files hold besides parameters.
fn buffers(arch: &EdmConfig, stages: &[Stage]) -> Vec<Buffer> {
    let constant = |name: &str, shape, value| Buffer {
        name: name.to_owned(),
        shape,
        value,
    };
    let levels = arch.preconditioning.levels();
    let levels = levels.map(|u| constant(LEVELS, vec![u.len()], BufferValue::Constant(u)));
    let is_fourier = matches!(
        arch.model,
        EdmModel::SongUNet {
            embedding_type: EmbeddingType::Fourier,
            ..
        }
    );
    let half = arch.noise_channels() / 2;
    let random = BufferValue::Random(FREQUENCY_SCALE);
    let frequencies = is_fourier.then(|| constant(FREQUENCIES, vec![half], random));
    let taps = arch.taps().len();
    let filters = stages.iter().flat_map(|stage| {
        let parts: &[&str] = match stage.kind {
            Kind::Residual { resample, .. } if resample != Resample::Keep => &[".conv0", ".skip"],
            Kind::Side { resample, .. } if resample != Resample::Keep => &[""],
            _ => &[],
        };
        parts.iter().map(move |part| {
            let name = format!("{}{part}.resample_filter", stage.name);
            constant(&name, vec![1, 1, taps, taps], BufferValue::Filter)
        })
    });
    levels
        .into_iter()
        .chain(frequencies)
        .chain(filters)
        .collect()
}

struct Layers<'a> {
    arch: &'a EdmConfig,
    builder: Builder,
    /// Factor of each sum of two branches.
    scale: f64,
}

impl Layers<'_> {
    fn encoder(&mut self) -> Result<(), ConfigError> {
        let encoder = match self.arch.model {
            EdmModel::SongUNet { encoder_type, .. } => encoder_type,
            EdmModel::DhariwalUNet {} => EncoderType::Standard,
        };
        let mut side = self.arch.img_channels;
        for (level, multiplier) in self.arch.channel_mult.iter().enumerate() {
            let name = self.names("enc", level);
            let width = self.arch.model_channels * multiplier;
            if level > 0 {
                let c = self.builder.channels;
                self.block(
                    name("down"),
                    c,
                    ResidualOptions::resampling(Resample::Halve),
                    false,
                )?;
                self.builder.push_skip();
                match encoder {
                    EncoderType::Standard => {}
                    EncoderType::Skip => {
                        let halve = side_layer([side, side], 0, Resample::Halve);
                        self.builder.beside(name("aux_down"), halve, Path::Side);
                        let join = side_layer([side, c], 1, Resample::Keep);
                        self.builder.beside(name("aux_skip"), join, Path::Join);
                    }
                    EncoderType::Residual => {
                        let kind = Kind::Side {
                            channels: [side, c],
                            kernel: 3,
                            resample: Resample::Halve,
                            conv_first: true,
                        };
                        let name = name("aux_residual");
                        self.builder.beside(name, kind, Path::JoinAndKeep);
                        side = c;
                    }
                }
            }
            let attends = self.attends(level);
            for i in 0..self.arch.num_blocks {
                let name = name(&format!("block{i}"));
                self.block(name, width, ResidualOptions::PLAIN, attends)?;
                self.builder.end_block();
                self.builder.push_skip();
            }
        }
        Ok(())
    }

    /// Gives the names of the last normalisation and convolution.
    fn decoder(&mut self) -> Result<[String; 2], ConfigError> {
        // ADM ends in layers outside of its decoder.
        let decoder = match self.arch.model {
            EdmModel::SongUNet { decoder_type, .. } => Some(decoder_type),
            EdmModel::DhariwalUNet {} => None,
        };
        let coarsest = self.arch.channel_mult.len() - 1;
        let out = self.arch.out_channels();
        for (level, multiplier) in self.arch.channel_mult.iter().enumerate().rev() {
            let name = self.names("dec", level);
            let width = self.arch.model_channels * multiplier;
            let same = self.builder.channels;
            if level == coarsest {
                self.block(name("in0"), same, ResidualOptions::PLAIN, true)?;
                self.builder.end_block();
                self.block(name("in1"), same, ResidualOptions::PLAIN, false)?;
            } else {
                let double = ResidualOptions::resampling(Resample::Double);
                self.block(name("up"), same, double, false)?;
            }
            for i in 0..=self.arch.num_blocks {
                let last = i == self.arch.num_blocks;
                let attends = self.attends(level) && (decoder.is_none() || last);
                let name = name(&format!("block{i}"));
                self.block(name, width, ResidualOptions::popping(), attends)?;
                self.builder.end_block();
            }
            if decoder == Some(DecoderType::Skip) {
                if level != coarsest {
                    let double = side_layer([out, out], 0, Resample::Double);
                    self.builder.beside(name("aux_up"), double, Path::Side);
                }
                // The finest level's are the last layers of the network.
                if level > 0 {
                    let channels = self.builder.channels;
                    let groups = groups(channels);
                    check_groups(|| name("aux_norm"), channels, groups)?;
                    let channels = [channels, out];
                    let head = Kind::Head { channels, groups };
                    self.builder.beside(name("aux"), head, Path::Read);
                }
            }
        }
        let name = self.names("dec", 0);
        Ok(match decoder {
            Some(_) => [name("aux_norm"), name("aux_conv")],
            None => ["model.out_norm".to_owned(), "model.out_conv".to_owned()],
        })
    }

    fn block(
        &mut self,
        name: String,
        width: usize,
        options: ResidualOptions,
        attends: bool,
    ) -> Result<(), ConfigError> {
        let (song, scale) = (self.arch.is_song(), self.scale);
        let options = ResidualOptions {
            scale,
            projects: song,
            ..options
        };
        self.builder
            .residual(name.clone(), width, groups, options)?;
        let heads = match self.arch.model {
            _ if !attends => 0,
            EdmModel::SongUNet { .. } => 1,
            // None below 64 channels, as there.
            EdmModel::DhariwalUNet {} => width / CHANNELS_PER_HEAD,
        };
        if heads == 0 {
            return Ok(());
        }
        let options = AttentionOptions {
            heads,
            order: QkvOrder::PartsLast,
            groups: Some(groups(width)),
            scale,
        };
        self.builder.attention(name, options)
    }

    fn attends(&self, level: usize) -> bool {
        let size = self.arch.img_resolution >> level;
        self.arch.attn_resolutions.contains(&size)
    }

    /// Names of the layers of one level.
    fn names(&self, part: &'static str, level: usize) -> impl Fn(&str) -> String + use<> {
        let size = self.arch.img_resolution >> level;
        move |name| format!("model.{part}.{size}x{size}_{name}")
    }
}

impl EdmConfig {
    /// Channels that come out of the U-Net: twice the image's where variances are learned.
    fn out_channels(&self) -> usize {
        match self.preconditioning {
            Preconditioning::ImprovedDdpm { .. } => 2 * self.img_channels,
            _ => self.img_channels,
        }
    }
}

/// A layer of the side image.
fn side_layer(channels: [usize; 2], kernel: usize, resample: Resample) -> Kind {
    Kind::Side {
        channels,
        kernel,
        resample,
        conv_first: false,
    }
}
