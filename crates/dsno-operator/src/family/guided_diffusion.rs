//! U-Nets of OpenAI's improved-diffusion, guided-diffusion and consistency models.
//!
//! Nichol & Dhariwal 2021 (arXiv:2102.09672), Dhariwal & Nichol 2021 (arXiv:2105.05233) and Song et
//! al. 2023 (arXiv:2303.01469) published weights of one U-Net with various options, as state dicts
//! that `torch.save` wrote (`input_blocks.0.0.weight`, `time_embed.0.bias`, …). The files do not say
//! their options: those are flags of the training scripts, and an architecture is those flags.
//!
//! | question                          | part                                                    |
//! |-----------------------------------|---------------------------------------------------------|
//! | what is the network?              | [`GuidedDiffusionConfig`]                               |
//! | how is it trained?                | [`DdpmProcess`](crate::DdpmProcess)                     |
//! | how is it built and loaded?       | [`NetworkConfig`](crate::NetworkConfig)                 |
//!
//! Classifiers and super-resolution models of these repositories are other networks and are not read.

mod layout;
mod network;

pub use network::GuidedDiffusionConfig;

use super::{Family, read};

/// OpenAI's networks.
pub const FAMILY: Family = Family {
    name: "guided-diffusion",
    read: |table| Ok(Box::new(read::<GuidedDiffusionConfig>(table)?)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_is_the_published_network() {
        let documented =
            crate::family::documented_toml(include_str!("guided_diffusion/network.rs"));
        let file: GuidedDiffusionConfig = toml::from_str(&documented).unwrap();
        let network = crate::NetworkConfig::new(file).unwrap();
        assert_eq!(network.parameter_count(), 295_904_454);
    }
}
