//! U-Nets of OpenAI's improved-diffusion, guided-diffusion and consistency models.
//!
//! Nichol & Dhariwal 2021 (arXiv:2102.09672), Dhariwal & Nichol 2021 (arXiv:2105.05233) and Song et
//! al. 2023 (arXiv:2303.01469) published weights of one U-Net with various options, as state dicts
//! that `torch.save` wrote (`input_blocks.0.0.weight`, `time_embed.0.bias`, …). The files do not say
//! their options: those are flags of the training scripts, and an architecture is those flags.
//!
//! | question                          | part                                                    |
//! |-----------------------------------|---------------------------------------------------------|
//! | what is the network?              | [`GuidedArchitecture`]                                  |
//! | how is it trained?                | [`Process`](super::ddpm::Process)             |
//! | what is loaded?                   | [`DdpmNetwork`](super::ddpm::DdpmNetwork)               |
//! | how does a solver call it?        | [`DdpmDenoiser`](super::ddpm::DdpmDenoiser)             |
//!
//! Classifiers and super-resolution models of these repositories are other networks and are not read.

mod architecture;
mod check;
mod plan;

pub use architecture::GuidedArchitecture;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_is_the_published_network() {
        let documented = crate::foreign::documented_toml(include_str!("guided/architecture.rs"));
        let file: GuidedArchitecture = toml::from_str(&documented).unwrap();
        assert_eq!(file.parameter_count(), Ok(295_904_454));
    }
}
