//! The networks of `tests/golden/derive/edm.py`, and its recipe of weights.

use dsno_operator::family::edm::{
    DecoderType, EdmConfig, EdmModel, EmbeddingType, EncoderType, Preconditioning,
};

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) architecture: EdmConfig,
    pub(super) sigmas: Vec<f64>,
    pub(super) labels: Option<Vec<u32>>,
    pub(super) factors: fn(f64) -> Factors,
}

/// `c_in` and `c_noise`, written out once more.
pub(super) struct Factors {
    pub(super) input: f64,
    pub(super) noise: f64,
}

/// SplitMix64 from the FNV-1a hash of the name, as numbers in `[-1, 1)`.
pub(super) fn draw(name: &str, len: usize) -> impl Iterator<Item = f64> {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, byte| {
        (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    (1..=len as u64).map(move |k| {
        let z = hash.wrapping_add(k.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let z = z ^ (z >> 31);
        (z >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    })
}

/// The values of a weight.
pub(super) fn value(name: &str, shape: &[usize]) -> Vec<f32> {
    let draws = draw(name, shape.iter().product());
    if shape.len() > 1 {
        let fan_in: usize = shape[1..].iter().product();
        let scale = (3.0 / fan_in as f64).sqrt();
        draws.map(|v| (scale * v) as f32).collect()
    } else if name.ends_with("bias") {
        draws.map(|v| (0.1 * v) as f32).collect()
    } else if name.ends_with("freqs") {
        draws.map(|v| (16.0 * v) as f32).collect()
    } else {
        draws.map(|v| (1.0 + 0.2 * v) as f32).collect()
    }
}

fn ddpmpp() -> EdmModel {
    EdmModel::SongUNet {
        embedding_type: EmbeddingType::Positional,
        channel_mult_noise: 1,
        encoder_type: EncoderType::Standard,
        decoder_type: DecoderType::Standard,
        resample_filter: vec![1.0, 1.0],
    }
}

fn ncsnpp() -> EdmModel {
    EdmModel::SongUNet {
        embedding_type: EmbeddingType::Fourier,
        channel_mult_noise: 2,
        encoder_type: EncoderType::Residual,
        decoder_type: DecoderType::Standard,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    }
}

pub(super) fn cases() -> Vec<Case> {
    let small = EdmConfig {
        img_resolution: 8,
        img_channels: 3,
        label_dim: 5,
        augment_dim: 9,
        model_channels: 16,
        channel_mult: vec![1, 2],
        channel_mult_emb: 4,
        num_blocks: 2,
        attn_resolutions: vec![4],
        dropout: 0.1,
        model: ddpmpp(),
        preconditioning: Preconditioning::Edm { sigma_data: 0.5 },
    };
    let edm = |sigma: f64| Factors {
        input: 1.0 / (sigma * sigma + 0.25).sqrt(),
        noise: sigma.ln() / 4.0,
    };
    vec![
        Case {
            name: "ddpmpp",
            architecture: small.clone(),
            sigmas: vec![0.02, 0.7, 60.0],
            labels: Some(vec![4, 1]),
            factors: edm,
        },
        Case {
            name: "ncsnpp",
            architecture: EdmConfig {
                img_channels: 1,
                label_dim: 0,
                augment_dim: 0,
                model_channels: 20,
                channel_mult: vec![1, 2, 1],
                channel_mult_emb: 3,
                num_blocks: 1,
                attn_resolutions: vec![8, 2],
                model: ncsnpp(),
                preconditioning: Preconditioning::VarianceExploding {},
                ..small.clone()
            },
            sigmas: vec![0.03, 1.1, 40.0],
            labels: None,
            factors: |sigma| Factors {
                input: 1.0,
                noise: (sigma / 2.0).ln(),
            },
        },
        skips(&small),
        residual(&small),
        Case {
            name: "adm",
            architecture: EdmConfig {
                img_resolution: 4,
                label_dim: 4,
                augment_dim: 6,
                model_channels: 64,
                channel_mult_emb: 2,
                num_blocks: 1,
                attn_resolutions: vec![4, 2],
                model: EdmModel::DhariwalUNet {},
                ..small.clone()
            },
            sigmas: vec![0.05, 0.8, 20.0],
            labels: Some(vec![2, 3]),
            factors: edm,
        },
        iddpm(&small),
    ]
}

fn skips(small: &EdmConfig) -> Case {
    Case {
        name: "skips",
        architecture: EdmConfig {
            label_dim: 4,
            augment_dim: 0,
            channel_mult: vec![2, 1, 2],
            channel_mult_emb: 2,
            num_blocks: 1,
            model: EdmModel::SongUNet {
                embedding_type: EmbeddingType::Positional,
                channel_mult_noise: 1,
                encoder_type: EncoderType::Skip,
                decoder_type: DecoderType::Skip,
                resample_filter: vec![1.0, 4.0, 3.0, 2.0, 1.0, 1.0],
            },
            preconditioning: Preconditioning::VariancePreserving {
                beta_d: 19.9,
                beta_min: 0.1,
                steps: 1000,
            },
            ..small.clone()
        },
        sigmas: vec![0.01, 0.9, 80.0],
        labels: Some(vec![0, 3]),
        factors: |sigma| {
            let variance = sigma * sigma;
            let t = ((0.01 + 39.8 * (1.0 + variance).ln()).sqrt() - 0.1) / 19.9;
            Factors {
                input: 1.0 / (variance + 1.0).sqrt(),
                noise: 999.0 * t,
            }
        },
    }
}

fn residual(small: &EdmConfig) -> Case {
    Case {
        name: "residual",
        architecture: EdmConfig {
            img_channels: 2,
            label_dim: 3,
            augment_dim: 4,
            channel_mult: vec![1, 1, 2],
            channel_mult_emb: 1,
            num_blocks: 1,
            attn_resolutions: vec![],
            model: EdmModel::SongUNet {
                embedding_type: EmbeddingType::Fourier,
                channel_mult_noise: 1,
                encoder_type: EncoderType::Residual,
                decoder_type: DecoderType::Skip,
                resample_filter: vec![1.0, 1.0],
            },
            preconditioning: Preconditioning::Edm { sigma_data: 0.3 },
            ..small.clone()
        },
        sigmas: vec![0.1, 5.0],
        labels: Some(vec![2, 0]),
        factors: |sigma| Factors {
            input: 1.0 / (sigma * sigma + 0.09).sqrt(),
            noise: sigma.ln() / 4.0,
        },
    }
}

fn iddpm(small: &EdmConfig) -> Case {
    Case {
        name: "iddpm",
        architecture: EdmConfig {
            label_dim: 0,
            augment_dim: 0,
            channel_mult: vec![2, 1],
            channel_mult_emb: 2,
            attn_resolutions: vec![8],
            model: EdmModel::DhariwalUNet {},
            preconditioning: Preconditioning::ImprovedDdpm {
                c_1: 0.001,
                c_2: 0.008,
                steps: 50,
            },
            ..small.clone()
        },
        sigmas: vec![0.04, 1.3, 30.0],
        labels: None,
        // The nearest of the 51 levels, found in NumPy: 49 minus its index.
        factors: |sigma| Factors {
            input: 1.0 / (sigma * sigma + 1.0).sqrt(),
            noise: match sigma {
                0.04 => IDDPM_NOISE[0],
                1.3 => IDDPM_NOISE[1],
                _ => IDDPM_NOISE[2],
            },
        },
    }
}

const IDDPM_NOISE: [f64; 3] = [0.0, 28.0, 48.0];

/// Published networks, for their sizes alone.
pub(super) fn published() -> Vec<(&'static str, EdmConfig)> {
    let cifar10 = EdmConfig {
        img_resolution: 32,
        img_channels: 3,
        label_dim: 0,
        augment_dim: 0,
        model_channels: 128,
        channel_mult: vec![2, 2, 2],
        channel_mult_emb: 4,
        num_blocks: 4,
        attn_resolutions: vec![16],
        dropout: 0.13,
        model: ddpmpp(),
        preconditioning: Preconditioning::Edm { sigma_data: 0.5 },
    };
    let conditional = EdmConfig {
        label_dim: 10,
        augment_dim: 9,
        model: ncsnpp(),
        ..cifar10.clone()
    };
    let ffhq = EdmConfig {
        img_resolution: 64,
        augment_dim: 9,
        channel_mult: vec![1, 2, 2, 2],
        dropout: 0.05,
        ..cifar10.clone()
    };
    let imagenet = EdmConfig {
        img_resolution: 64,
        label_dim: 1000,
        model_channels: 192,
        channel_mult: vec![1, 2, 3, 4],
        num_blocks: 3,
        attn_resolutions: vec![32, 16, 8],
        model: EdmModel::DhariwalUNet {},
        ..cifar10.clone()
    };
    vec![
        ("cifar10-ddpmpp", cifar10),
        ("cifar10-ncsnpp", conditional),
        ("ffhq-ddpmpp", ffhq),
        ("imagenet64-adm", imagenet),
    ]
}
