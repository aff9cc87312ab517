//! The two networks of PyTorch's benchmark.

use dsno_operator::UNetConfig;

/// A small or a medium network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Config {
    /// 16×16 grey, 32 and 64 channels.
    S,
    /// 32×32 colour, 64 and 128 channels.
    M,
}

impl Config {
    pub(crate) const ALL: [Self; 2] = [Self::S, Self::M];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::M => "M",
        }
    }

    /// The backbone: the teacher's network.
    pub(crate) fn backbone(self) -> UNetConfig {
        let small = UNetConfig::new(16, 1)
            .with_base_channels(32)
            .with_channel_multipliers(vec![1, 2])
            .with_res_blocks(1)
            .with_attention_resolutions(vec![8]);
        match self {
            Self::S => small,
            Self::M => UNetConfig {
                image_size: 32,
                image_channels: 3,
                base_channels: 64,
                embedding_channels: 256,
                channel_multipliers: vec![1, 2, 2],
                res_blocks: 2,
                attention_resolutions: vec![16],
                ..small
            },
        }
    }
}
