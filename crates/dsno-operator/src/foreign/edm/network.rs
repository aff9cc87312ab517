//! The network: embedding, then the planned layers.

mod embed;

use std::f64::consts::SQRT_2;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dsno_kernels::{concat_channels, group_norm_silu};

use super::architecture::EdmArchitecture;
use super::denoiser::EdmDenoiser;
use super::layer::{Block, BlockStyle, Convolution, GroupNorm, Linear, Noise, Start, positional};
use super::plan::{Kind, Plan, Role};
use super::weights::constants;
use crate::foreign::map;
use crate::init::Initializer;
use dsno_checkpoint::StateDict;

/// A network of Karras et al. 2022 with its preconditioning; build it with
/// [`EdmArchitecture::init`] or [`EdmArchitecture::load`].
#[derive(Module, Debug)]
pub struct EdmNetwork {
    map_label: Option<Linear>,
    /// Kept for the file; augmentation labels are zero at sampling.
    map_augment: Option<Linear>,
    map_layer0: Linear,
    map_layer1: Linear,
    layers: Vec<Layer>,
    #[module(skip)]
    roles: Vec<Role>,
    #[module(skip)]
    noise: Noise,
    #[module(skip)]
    pub(super) architecture: EdmArchitecture,
    /// Tensors of the file that are not trained, by their names there.
    #[module(skip)]
    pub(super) constants: StateDict,
}

/// One planned layer.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a few dozen per network, held in one Vec"
)]
enum Layer {
    Convolution(Convolution),
    Block(Block),
    Norm(GroupNorm),
}

impl EdmNetwork {
    pub(super) fn new(arch: &EdmArchitecture, plan: Plan, seed: u64, device: &Device) -> Self {
        let init = &mut Initializer::new(seed, device);
        let style = BlockStyle::of(arch);
        let [most, last, _] = style.starts;
        let song = arch.is_song();
        let (noise, e) = (arch.noise_channels(), style.embedding);
        let constants = constants(arch, &plan, seed);
        let linear = |init: &mut Initializer<'_>, channels: [usize; 2], bias, start| {
            (channels[0] > 0).then(|| Linear::new(init, channels, bias, start))
        };
        let map_label = if song {
            linear(init, [arch.label_dim, noise], true, most)
        } else {
            linear(init, [arch.label_dim, e], false, Start::Unit)
        };
        let of_augment = if song { most } else { last };
        let map_augment = linear(init, [arch.augment_dim, noise], false, of_augment);
        let map_layer0 = Linear::new(init, [noise, e], true, most);
        let map_layer1 = Linear::new(init, [e, e], true, most);
        let mut layers = Vec::with_capacity(plan.nodes.len());
        let mut roles = Vec::with_capacity(plan.nodes.len());
        for node in plan.nodes {
            let start = if node.role == Role::Read { last } else { most };
            layers.push(match node.kind {
                Kind::Convolution(shape) => {
                    Layer::Convolution(Convolution::new(init, shape, &style.filter, start))
                }
                Kind::Block(shape) => Layer::Block(Block::new(init, shape, &style)),
                Kind::Norm { channels } => {
                    Layer::Norm(GroupNorm::new(init, channels, style.epsilon))
                }
            });
            roles.push(node.role);
        }
        let network = Self {
            map_label,
            map_augment,
            map_layer0,
            map_layer1,
            layers,
            roles,
            noise: Noise {
                frequencies: positional(noise, song),
                sines_first: song,
            },
            architecture: arch.clone(),
            constants: StateDict::new(),
        };
        network.with_constants(constants)
    }

    /// Replaces what is not trained; names and shapes must be right.
    pub(super) fn with_constants(mut self, constants: StateDict) -> Self {
        if let Some(stored) = constants.get(super::entries::FREQUENCIES) {
            self.noise = Noise::fourier(&stored.values);
        }
        self.constants = constants;
        self
    }

    /// Returns the description of this network.
    pub fn architecture(&self) -> &EdmArchitecture {
        &self.architecture
    }

    /// Returns the teacher that solvers call, for batches with these labels.
    ///
    /// `clamp` holds the predicted image to `[-1, 1]`, which the published samplers of these
    /// networks do not do.
    pub fn denoiser(&self, labels: Option<Vec<u32>>, clamp: bool) -> EdmDenoiser<'_> {
        EdmDenoiser {
            network: self,
            labels,
            clamp,
        }
    }

    /// Runs the U-Net `F` inside the preconditioning.
    ///
    /// Without labels a network with classes is told a vector of zeros, as there; that only means
    /// something if some labels were dropped while it was trained.
    ///
    /// # Shapes
    ///
    /// | value    | shape             | range and unit                                       |
    /// |----------|-------------------|------------------------------------------------------|
    /// | `x`      | `[B, C, H, W]`    | `c_in` times the noisy image                         |
    /// | `noise`  | 1 or `B` values   | `c_noise` of all samples, or of each                 |
    /// | `labels` | `B` values        | class of each sample, below `label_dim`              |
    /// | returned | `[B, C', H, W]`   | `C' = 2C` where variances are learned, else `C`      |
    ///
    /// # Panics
    ///
    /// If shapes, levels or labels do not fit the architecture, as burn's modules do.
    pub fn forward(&self, x: Tensor<4>, noise: &[f64], labels: Option<&[u32]>) -> Tensor<4> {
        let b = x.dims()[0];
        assert!(
            noise.len() == 1 || noise.len() == b,
            "{} noise levels for {b} samples",
            noise.len()
        );
        let embedding = self.embed(noise, labels, b, &x.device());
        let x = map::channels_last(x);
        let mut skips: Vec<Tensor<4>> = Vec::new();
        // The side image of the way down, that of the way up, and the map it is read off.
        let mut side = x.clone();
        let mut answer: Option<Tensor<4>> = None;
        let mut activated = x.clone();
        let mut x = x;
        for (layer, role) in self.layers.iter().zip(&self.roles) {
            let run = |input: Tensor<4>| layer.forward(input, &embedding);
            match role {
                Role::Down => {
                    x = run(x);
                    skips.push(x.clone());
                }
                Role::Up { takes_skip } => {
                    if *takes_skip {
                        x = concat_channels(x, take(&mut skips));
                    }
                    x = run(x);
                }
                Role::Side => match answer.take() {
                    Some(image) => answer = Some(run(image)),
                    None => side = run(side),
                },
                Role::Join => {
                    x = x + run(side.clone());
                    take(&mut skips);
                    skips.push(x.clone());
                }
                Role::JoinAndKeep => {
                    x = (x + run(side)) / SQRT_2;
                    side = x.clone();
                    take(&mut skips);
                    skips.push(x.clone());
                }
                Role::Normalise => activated = run(x.clone()),
                Role::Read => {
                    let image = run(activated.clone());
                    answer = Some(match answer.take() {
                        Some(coarse) => image + coarse,
                        None => image,
                    });
                }
            }
        }
        map::channels_first(answer.expect("invariant: every plan reads an image"))
    }
}

impl Layer {
    fn forward(&self, x: Tensor<4>, embedding: &Tensor<2>) -> Tensor<4> {
        match self {
            Self::Convolution(layer) => layer.forward(x),
            Self::Block(layer) => layer.forward(x, embedding.clone()),
            Self::Norm(layer) => group_norm_silu(x, layer.with(None)),
        }
    }
}

fn take(skips: &mut Vec<Tensor<4>>) -> Tensor<4> {
    skips
        .pop()
        .expect("invariant: the plan leaves what it takes")
}
