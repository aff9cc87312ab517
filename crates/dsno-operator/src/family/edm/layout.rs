//! Lays the U-Nets out, and names their layers as the weight files do.

use std::f64::consts::FRAC_1_SQRT_2;

use dsno_kernels::Resample;

use super::network::{DecoderType, EdmConfig, EncoderType, Options};
use super::preconditioning::Preconditioning;
use crate::check::{
    CHANNELS, CLASSES, check_attention_sizes, check_counts, check_dropout, check_groups,
    check_range, check_size,
};
use crate::config_error::ConfigError;
use crate::layer_config::Heads;
use crate::layout::QkvOrder;
use crate::plan::{
    At, AttentionOptions, Buffer, BufferValue, Builder, ClassInput, Dialect, EmbeddingPlan,
    HeadOutput, HeadPlan, Kind, Names, Path, Plan, SideShape, Stage, TimestepFeatures, Walk,
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

/// Far beyond any network; what follows from counts below it fits a `usize`.
const MOST: usize = 4096;
const MOST_TAPS: usize = 64;

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
    let Options { song, taps, .. } = arch.options();
    let size = arch.img_resolution;
    let factors = arch.channel_mult.iter();
    let widths: Vec<usize> = factors.map(|factor| arch.model_channels * factor).collect();
    let channels = widths[0];
    // ADM ends in layers outside of its decoder.
    let [norm, head] = ["norm", "conv"].map(|word| {
        if song {
            arch.layer("dec", 0, &format!("aux_{word}"))
        } else {
            format!("model.out_{word}")
        }
    });
    let stem = arch.layer("enc", 0, "conv");
    let frame = [
        ("embedding.dense_0", "model.map_layer0"),
        ("embedding.dense_1", "model.map_layer1"),
        ("embedding.class", "model.map_label"),
        ("embedding.augment", "model.map_augment"),
        ("stem", stem.as_str()),
        ("norm", norm.as_str()),
        ("head", head.as_str()),
    ];
    let sum: f64 = taps.iter().sum();
    let plan = Plan {
        image_shape: [arch.img_channels, size, size],
        embedding: embedding(arch),
        centre_input: false,
        // ADM applies the first multiplier to the first convolution already.
        stem_channels: if song { arch.model_channels } else { channels },
        scale_shift: !song,
        dropout: arch.dropout,
        epsilon: if song { 1e-6 } else { 1e-5 },
        filter: taps.iter().map(|tap| tap / sum).collect(),
        stages: Vec::new(),
        head: HeadPlan {
            channels,
            groups: groups(channels),
            channels_out: arch.out_channels(),
            output: HeadOutput::Prediction,
        },
        process: Process::Edm(arch.preconditioning),
        names: Names::foreign(&DIALECT, frame),
        buffers: Vec::new(),
    };
    let plan = plan.laid_out(arch, &widths, arch.num_blocks)?;
    Ok(Plan {
        buffers: buffers(arch, &plan.stages),
        ..plan
    })
}

fn embedding(arch: &EdmConfig) -> EmbeddingPlan {
    let Options { song, fourier, .. } = arch.options();
    EmbeddingPlan {
        features: if fourier {
            TimestepFeatures::Fourier {
                stored: FREQUENCIES,
            }
        } else {
            TimestepFeatures::Sinusoids {
                of_log_snr: false,
                cosines_first: !song,
                shift: usize::from(song),
            }
        },
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
    let Options { fourier, taps, .. } = arch.options();
    let levels = arch.preconditioning.levels();
    let levels = levels.map(|u| constant(LEVELS, vec![u.len()], BufferValue::Constant(u)));
    let half = arch.noise_channels() / 2;
    let random = BufferValue::Random(FREQUENCY_SCALE);
    let frequencies = fourier.then(|| constant(FREQUENCIES, vec![half], random));
    let taps = taps.len();
    let filters = stages.iter().flat_map(|stage| {
        let parts: &[&str] = match stage.kind {
            Kind::Residual(shape) if shape.resample != Resample::Keep => &[".conv0", ".skip"],
            Kind::Side(shape) if shape.resample != Resample::Keep => &[""],
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

impl Walk for EdmConfig {
    fn name(&self, at: At) -> String {
        match at {
            At::Down(level, block) => self.layer("enc", level, &format!("block{block}")),
            At::Halve(level) => self.layer("enc", level + 1, "down"),
            At::Middle(block) => {
                self.layer("dec", self.channel_mult.len() - 1, &format!("in{block}"))
            }
            At::Up(level, block) => self.layer("dec", level, &format!("block{block}")),
            At::Double(level) => self.layer("dec", level - 1, "up"),
        }
    }

    fn groups(&self, channels: usize) -> usize {
        groups(channels)
    }

    fn attention(&self, at: At, layers: &Builder) -> Option<AttentionOptions> {
        let song = self.options().song;
        let attends = match at {
            At::Middle(_) => true,
            At::Up(_, block) if song && block < self.num_blocks => false,
            _ => self.attn_resolutions.contains(&layers.size),
        };
        // None below 64 channels, as there.
        let heads = if song {
            1
        } else {
            layers.channels / CHANNELS_PER_HEAD
        };
        (attends && heads > 0).then(|| AttentionOptions {
            name: self.name(at),
            heads: Heads::Count(heads),
            order: QkvOrder::PartsLast,
            groups: Some(groups(layers.channels)),
        })
    }

    fn scale(&self, _: At) -> f64 {
        if self.options().song {
            FRAC_1_SQRT_2
        } else {
            1.0
        }
    }

    fn projects(&self) -> bool {
        self.options().song
    }

    fn beside(&self, at: At, layers: &mut Builder) -> Result<(), ConfigError> {
        let options = self.options();
        let (image, out, c) = (self.img_channels, self.out_channels(), layers.channels);
        match (at, options.encoder, options.decoder) {
            (At::Halve(level), EncoderType::Skip, _) => {
                let name = |word| self.layer("enc", level + 1, word);
                let halve = side_layer([image, image], 0, Resample::Halve);
                layers.push(name("aux_down"), halve, Path::Side);
                let join = side_layer([image, c], 1, Resample::Keep);
                layers.push(name("aux_skip"), join, Path::Join);
            }
            (At::Halve(level), EncoderType::Residual, _) => {
                // Of the image, or of the features that were made at the level before.
                let before = match level {
                    0 => image,
                    _ => self.model_channels * self.channel_mult[level - 1],
                };
                let kind = Kind::Side(SideShape {
                    channels: [before, c],
                    kernel: 3,
                    resample: Resample::Halve,
                    conv_first: true,
                });
                let name = self.layer("enc", level + 1, "aux_residual");
                layers.push(name, kind, Path::JoinAndKeep);
            }
            (At::Up(level, _), _, DecoderType::Skip) => {
                let name = |word| self.layer("dec", level, word);
                if level + 1 < self.channel_mult.len() {
                    let double = side_layer([out, out], 0, Resample::Double);
                    layers.push(name("aux_up"), double, Path::Side);
                }
                // The finest level's are the last layers of the network.
                if level > 0 {
                    let groups = groups(c);
                    check_groups(|| name("aux_norm"), c, groups)?;
                    let channels = [c, out];
                    let head = Kind::Head { channels, groups };
                    layers.push(name("aux"), head, Path::Read);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl EdmConfig {
    /// Finds the first key that cannot work, channels apart.
    fn check(&self) -> Result<(), ConfigError> {
        let smallest = self.channel_mult.iter().copied().min().unwrap_or(0);
        let largest = self.channel_mult.iter().copied().max().unwrap_or(0);
        check_counts(&[
            ("img_resolution", self.img_resolution, CHANNELS),
            ("img_channels", self.img_channels, 1..=MOST),
            ("label_dim", self.label_dim, 0..=*CLASSES.end()),
            ("augment_dim", self.augment_dim, 0..=MOST),
            ("model_channels", self.model_channels, 1..=MOST),
            ("channel_mult", smallest, 1..=MOST),
            ("channel_mult", largest, 1..=MOST),
            ("channel_mult_emb", self.channel_mult_emb, 1..=MOST),
            ("num_blocks", self.num_blocks, 1..=MOST),
            ("channel_mult_noise", self.options().noise, 1..=MOST),
        ])?;
        check_dropout(self.dropout)?;
        let width = self.noise_channels();
        let ok = width >= 4 && width.is_multiple_of(2);
        let expected = "an even number of at least 4";
        check_range(ok, "width of the noise embedding", width as f64, expected)?;
        check_filter(self.options().taps)?;
        self.preconditioning.check()?;
        let sizes = check_size(self.img_resolution, self.channel_mult.len())?;
        check_attention_sizes("attn_resolutions", &self.attn_resolutions, sizes)
    }

    /// Channels that come out of the U-Net: twice the image's where variances are learned.
    fn out_channels(&self) -> usize {
        match self.preconditioning {
            Preconditioning::ImprovedDdpm { .. } => 2 * self.img_channels,
            _ => self.img_channels,
        }
    }

    /// Name of a layer of one level.
    fn layer(&self, part: &str, level: usize, word: &str) -> String {
        let size = self.img_resolution >> level;
        format!("model.{part}.{size}x{size}_{word}")
    }
}

fn check_filter(taps: &[f64]) -> Result<(), ConfigError> {
    let sum: f64 = taps.iter().sum();
    let even = taps.len().is_multiple_of(2) && (2..=MOST_TAPS).contains(&taps.len());
    if !even || !sum.is_finite() || sum == 0.0 {
        return Err(ConfigError::Filter {
            found: taps.to_vec(),
        });
    }
    Ok(())
}

/// A layer of the side image.
fn side_layer(channels: [usize; 2], kernel: usize, resample: Resample) -> Kind {
    Kind::Side(SideShape {
        channels,
        kernel,
        resample,
        conv_first: false,
    })
}
