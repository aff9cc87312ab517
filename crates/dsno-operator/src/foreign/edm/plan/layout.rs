//! How an architecture becomes a list of layers.

use super::{BlockShape, ConvShape, Kind, Node, Plan, Resample, Role, groups};
use crate::foreign::edm::architecture::{DecoderType, EdmArchitecture, EdmModel, EncoderType};
use crate::foreign::edm::error::EdmArchitectureError;

/// Channels of one attention head of a `DhariwalUNet`.
const CHANNELS_PER_HEAD: usize = 64;

impl Plan {
    /// Lays the network out; fails where channels do not divide.
    pub(in crate::foreign::edm) fn new(
        arch: &EdmArchitecture,
    ) -> Result<Self, EdmArchitectureError> {
        let (encoder, decoder) = match arch.model {
            EdmModel::SongUNet {
                encoder_type,
                decoder_type,
                ..
            } => (encoder_type, Some(decoder_type)),
            EdmModel::DhariwalUNet {} => (EncoderType::Standard, None),
        };
        let mut builder = Builder {
            arch,
            nodes: Vec::new(),
            channels: arch.img_channels,
            skips: Vec::new(),
        };
        builder.encoder(encoder)?;
        builder.decoder(decoder)?;
        Ok(Self {
            nodes: builder.nodes,
        })
    }
}

struct Builder<'a> {
    arch: &'a EdmArchitecture,
    nodes: Vec<Node>,
    channels: usize,
    /// Channels of the remembered maps.
    skips: Vec<usize>,
}

impl Builder<'_> {
    fn encoder(&mut self, encoder: EncoderType) -> Result<(), EdmArchitectureError> {
        let image = self.arch.img_channels;
        let mut side = image;
        for (level, multiplier) in self.arch.channel_mult.iter().enumerate() {
            let name = self.names("enc", level);
            let width = self.arch.model_channels * multiplier;
            if level == 0 {
                // ADM applies the first multiplier to the first convolution already.
                self.channels = match self.arch.model {
                    EdmModel::SongUNet { .. } => self.arch.model_channels,
                    EdmModel::DhariwalUNet {} => width,
                };
                let shape = conv([image, self.channels], 3, Resample::Keep);
                self.push(name("conv"), Role::Down, shape);
            } else {
                let c = self.channels;
                self.block(name("down"), Role::Down, [c, c], Resample::Halve, false)?;
            }
            if level > 0 && encoder == EncoderType::Skip {
                let halve = conv([side, side], 0, Resample::Halve);
                self.push(name("aux_down"), Role::Side, halve);
                let join = conv([side, self.channels], 1, Resample::Keep);
                self.push(name("aux_skip"), Role::Join, join);
            }
            if level > 0 && encoder == EncoderType::Residual {
                let shape = conv([side, self.channels], 3, Resample::HalveAfter);
                self.push(name("aux_residual"), Role::JoinAndKeep, shape);
                side = self.channels;
            }
            self.skips.push(self.channels);
            let attends = self.attends(level);
            for i in 0..self.arch.num_blocks {
                let channels = [self.channels, width];
                let name = name(&format!("block{i}"));
                self.block(name, Role::Down, channels, Resample::Keep, attends)?;
                self.channels = width;
                self.skips.push(width);
            }
        }
        Ok(())
    }

    /// `decoder` is none for ADM, which ends in layers outside its decoder.
    fn decoder(&mut self, decoder: Option<DecoderType>) -> Result<(), EdmArchitectureError> {
        let coarsest = self.arch.channel_mult.len() - 1;
        let plain = Role::Up { takes_skip: false };
        let out = self.arch.out_channels();
        for (level, multiplier) in self.arch.channel_mult.iter().enumerate().rev() {
            let name = self.names("dec", level);
            let width = self.arch.model_channels * multiplier;
            let same = [self.channels, self.channels];
            if level == coarsest {
                self.block(name("in0"), plain, same, Resample::Keep, true)?;
                self.block(name("in1"), plain, same, Resample::Keep, false)?;
            } else {
                self.block(name("up"), plain, same, Resample::Double, false)?;
            }
            for i in 0..=self.arch.num_blocks {
                let skip = self
                    .skips
                    .pop()
                    .expect("invariant: as many skips left as taken");
                let attends =
                    self.attends(level) && (decoder.is_none() || i == self.arch.num_blocks);
                let role = Role::Up { takes_skip: true };
                let channels = [self.channels + skip, width];
                let name = name(&format!("block{i}"));
                self.block(name, role, channels, Resample::Keep, attends)?;
                self.channels = width;
            }
            match decoder {
                Some(DecoderType::Skip) => {
                    if level != coarsest {
                        let shape = conv([out, out], 0, Resample::Double);
                        self.push(name("aux_up"), Role::Side, shape);
                    }
                    self.read(name("aux_norm"), name("aux_conv"))?;
                }
                Some(DecoderType::Standard) if level == 0 => {
                    self.read(name("aux_norm"), name("aux_conv"))?;
                }
                Some(DecoderType::Standard) | None => {}
            }
        }
        debug_assert!(self.skips.is_empty());
        match decoder {
            Some(_) => Ok(()),
            None => self.read("out_norm".to_owned(), "out_conv".to_owned()),
        }
    }

    fn read(&mut self, norm: String, conv_name: String) -> Result<(), EdmArchitectureError> {
        let channels = self.channels;
        check_groups(channels, &norm)?;
        self.push(norm, Role::Normalise, Kind::Norm { channels });
        let shape = conv([channels, self.arch.out_channels()], 3, Resample::Keep);
        self.push(conv_name, Role::Read, shape);
        Ok(())
    }

    fn block(
        &mut self,
        name: String,
        role: Role,
        channels: [usize; 2],
        resample: Resample,
        attends: bool,
    ) -> Result<(), EdmArchitectureError> {
        check_groups(channels[0], &name)?;
        check_groups(channels[1], &name)?;
        let heads = match self.arch.model {
            _ if !attends => 0,
            EdmModel::SongUNet { .. } => 1,
            // None below 64 channels, as there.
            EdmModel::DhariwalUNet {} => channels[1] / CHANNELS_PER_HEAD,
        };
        if heads > 0 && !channels[1].is_multiple_of(heads) {
            return Err(EdmArchitectureError::Heads {
                place: name,
                channels: channels[1],
                heads,
            });
        }
        let shape = BlockShape {
            channels,
            resample,
            heads,
        };
        self.push(name, role, Kind::Block(shape));
        Ok(())
    }

    fn push(&mut self, name: String, role: Role, kind: Kind) {
        self.nodes.push(Node { name, role, kind });
    }

    fn attends(&self, level: usize) -> bool {
        let size = self.arch.img_resolution >> level;
        self.arch.attn_resolutions.contains(&size)
    }

    /// Names of the layers of one level.
    fn names(&self, part: &'static str, level: usize) -> impl Fn(&str) -> String + use<> {
        let size = self.arch.img_resolution >> level;
        move |name| format!("{part}.{size}x{size}_{name}")
    }
}

fn conv(channels: [usize; 2], kernel: usize, resample: Resample) -> Kind {
    Kind::Convolution(ConvShape {
        channels,
        kernel,
        resample,
    })
}

fn check_groups(channels: usize, place: &str) -> Result<(), EdmArchitectureError> {
    let groups = groups(channels);
    if groups > 0 && channels.is_multiple_of(groups) {
        Ok(())
    } else {
        Err(EdmArchitectureError::Groups {
            place: place.to_owned(),
            channels,
        })
    }
}
