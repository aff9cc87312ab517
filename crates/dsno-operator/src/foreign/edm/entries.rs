//! The names and shapes of a weight file, which follow from the plan.

use super::architecture::{EdmArchitecture, EdmModel, EmbeddingType};
use super::plan::{BlockShape, ConvShape, Kind, Plan, Resample};

/// Where the U-Net lies in a state dict.
pub(super) const MODEL: &str = "model.";
/// The random frequencies of NCSN++.
pub(super) const FREQUENCIES: &str = "model.map_noise.freqs";
/// The noise levels of improved DDPM.
pub(super) const LEVELS: &str = "u";

/// One tensor of a weight file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// What it is, where it is not trained.
    pub(super) buffer: Option<Buffer>,
}

/// A stored tensor that is not trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buffer {
    /// Follows from the architecture, and must be what follows.
    Filter,
    /// Is part of the model: Fourier frequencies, noise levels.
    Constant,
}

impl Plan {
    /// Every tensor of the weight file.
    pub(super) fn entries(&self, arch: &EdmArchitecture) -> Vec<Entry> {
        let (noise, e) = (
            arch.noise_channels(),
            arch.model_channels * arch.channel_mult_emb,
        );
        let (taps, song, fourier) = match &arch.model {
            EdmModel::SongUNet {
                resample_filter,
                embedding_type,
                ..
            } => (
                resample_filter.len(),
                true,
                *embedding_type == EmbeddingType::Fourier,
            ),
            EdmModel::DhariwalUNet {} => (2, false, false),
        };
        let mut list = List {
            entries: Vec::new(),
            taps,
            embedding: e,
            song,
        };
        if let Some(levels) = arch.preconditioning.levels() {
            list.buffer(LEVELS.to_owned(), vec![levels.len()], Buffer::Constant);
        }
        if fourier {
            list.buffer(FREQUENCIES.to_owned(), vec![noise / 2], Buffer::Constant);
        }
        if arch.label_dim > 0 {
            let out = if song { noise } else { e };
            list.linear("model.map_label", [arch.label_dim, out], song);
        }
        if arch.augment_dim > 0 {
            list.linear("model.map_augment", [arch.augment_dim, noise], false);
        }
        list.linear("model.map_layer0", [noise, e], true);
        list.linear("model.map_layer1", [e, e], true);
        for node in &self.nodes {
            let name = format!("{MODEL}{}", node.name);
            match node.kind {
                Kind::Convolution(shape) => list.convolution(&name, shape),
                Kind::Block(shape) => list.block(&name, shape),
                Kind::Norm { channels } => list.norm(&name, channels),
            }
        }
        list.entries
    }
}

struct List {
    entries: Vec<Entry>,
    /// Taps of the resampling filter.
    taps: usize,
    /// Width of the embedding.
    embedding: usize,
    song: bool,
}

impl List {
    fn weight(&mut self, name: String, shape: Vec<usize>) {
        self.entries.push(Entry {
            name,
            shape,
            buffer: None,
        });
    }

    fn buffer(&mut self, name: String, shape: Vec<usize>, buffer: Buffer) {
        self.entries.push(Entry {
            name,
            shape,
            buffer: Some(buffer),
        });
    }

    fn linear(&mut self, name: &str, [channels_in, channels_out]: [usize; 2], bias: bool) {
        self.weight(format!("{name}.weight"), vec![channels_out, channels_in]);
        if bias {
            self.weight(format!("{name}.bias"), vec![channels_out]);
        }
    }

    fn norm(&mut self, name: &str, channels: usize) {
        self.weight(format!("{name}.weight"), vec![channels]);
        self.weight(format!("{name}.bias"), vec![channels]);
    }

    fn convolution(&mut self, name: &str, shape: ConvShape) {
        let ([i, o], k) = (shape.channels, shape.kernel);
        if k > 0 {
            self.weight(format!("{name}.weight"), vec![o, i, k, k]);
            self.weight(format!("{name}.bias"), vec![o]);
        }
        if shape.resample != Resample::Keep {
            let shape = vec![1, 1, self.taps, self.taps];
            self.buffer(format!("{name}.resample_filter"), shape, Buffer::Filter);
        }
    }

    fn block(&mut self, name: &str, shape: BlockShape) {
        let [i, o] = shape.channels;
        let modulation = if self.song { o } else { 2 * o };
        self.norm(&format!("{name}.norm0"), i);
        self.convolution(&format!("{name}.conv0"), shape.first());
        self.linear(
            &format!("{name}.affine"),
            [self.embedding, modulation],
            true,
        );
        self.norm(&format!("{name}.norm1"), o);
        self.convolution(&format!("{name}.conv1"), ConvShape::keeping([o, o], 3));
        if let Some(skip) = shape.skip(self.song) {
            self.convolution(&format!("{name}.skip"), skip);
        }
        if shape.heads > 0 {
            self.norm(&format!("{name}.norm2"), o);
            self.convolution(&format!("{name}.qkv"), ConvShape::keeping([o, 3 * o], 1));
            self.convolution(&format!("{name}.proj"), ConvShape::keeping([o, o], 1));
        }
    }
}
