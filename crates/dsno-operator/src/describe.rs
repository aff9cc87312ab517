//! A network layer by layer, before it is built.

use std::fmt;

use dsno_kernels::Resample;

use crate::parts::Place;
use crate::plan::{Kind, Plan};

/// The layers of a network with their sizes and costs; prints as a table.
///
/// # Examples
///
/// ```
/// use dsno_operator::{TemporalConvConfig, UNetConfig};
///
/// let architecture = UNetConfig::new(8, 1)
///     .with_temporal(Some(TemporalConvConfig { n_modes: 2 }));
/// let description = architecture.describe(4)?;
/// assert_eq!(description.parameters(), architecture.parameter_count()?);
/// assert_eq!(description.multiply_adds(), architecture.multiply_adds(4)?);
/// let table = description.to_string();
/// assert!(table.contains("temporal, 2 modes"), "{table}");
/// # Ok::<(), dsno_operator::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// One for each layer, in running order.
    pub rows: Vec<Row>,
    /// Times of a forward pass.
    pub times: usize,
}

/// One layer of a [`Description`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What the names of its parameters begin with.
    pub name: String,
    /// What it is.
    pub layer: String,
    /// Shape of what comes out for one sample: `[T, C, H, W]`, without `T` ahead of the copies for
    /// each time and without `H, W` in the embedding.
    pub output: Vec<usize>,
    /// Trainable numbers.
    pub parameters: usize,
    /// Multiply-adds for one sample at all times.
    pub multiply_adds: u64,
}

impl Plan {
    /// Describes a forward pass of one sample that asks for `times` times.
    pub(crate) fn describe(&self, times: usize) -> Description {
        let parts = self.parts();
        let rows = parts.iter().map(|part| {
            let (channels, side) = part.output;
            let mut output = match part.place {
                Place::Stem | Place::Class => vec![],
                _ => vec![times],
            };
            output.push(channels);
            output.extend(side.into_iter().flat_map(|side| [side, side]));
            Row {
                name: part.prefix.clone(),
                layer: kind(part.place),
                output,
                parameters: part.count(),
                multiply_adds: part.multiply_adds(times),
            }
        });
        Description {
            rows: rows.collect(),
            times,
        }
    }
}

fn kind(place: Place) -> String {
    let plain = match place {
        Place::Embedding | Place::Class => "linear",
        Place::Stem | Place::Head => "convolution",
        Place::Norm => "normalisation",
        Place::Layer(_, Kind::Residual(shape)) => match shape.resample {
            Resample::Keep => "residual",
            Resample::Halve => "residual, halves",
            Resample::Double => "residual, doubles",
        },
        Place::Layer(_, Kind::Attention(shape)) => match shape.heads {
            1 => "attention",
            heads => return format!("attention, {heads} heads"),
        },
        Place::Layer(_, Kind::Temporal { n_modes, .. }) => {
            return format!("temporal, {n_modes} modes");
        }
        Place::Layer(_, Kind::Resampler { resample, .. }) => match resample {
            Resample::Double => "doubles",
            _ => "halves",
        },
        Place::Layer(_, Kind::Side(_)) => "side image",
        Place::Layer(_, Kind::Head { .. }) => "reads an image",
    };
    plain.to_owned()
}

impl Description {
    /// Trainable numbers of the whole network.
    pub fn parameters(&self) -> usize {
        self.rows.iter().map(|row| row.parameters).sum()
    }

    /// Multiply-adds of the whole pass.
    pub fn multiply_adds(&self) -> u64 {
        self.rows.iter().map(|row| row.multiply_adds).sum()
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["name", "layer", "output", "parameters", "multiply-adds"];
        let shape = |row: &Row| {
            let axes: Vec<String> = row.output.iter().map(usize::to_string).collect();
            axes.join("×")
        };
        let mut lines = vec![heads.map(str::to_owned)];
        lines.extend(self.rows.iter().map(|row| {
            [
                row.name.clone(),
                row.layer.clone(),
                shape(row),
                thousands(row.parameters as u64),
                thousands(row.multiply_adds),
            ]
        }));
        lines.push([
            "total".to_owned(),
            format!("{} layers", self.rows.len()),
            format!("{} times", self.times),
            thousands(self.parameters() as u64),
            thousands(self.multiply_adds()),
        ]);
        let width = |column: usize| {
            let widths = lines.iter().map(|line| line[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(width);
        for [name, layer, output, parameters, multiply_adds] in &lines {
            writeln!(
                f,
                "{name:<a$}  {layer:<b$}  {output:>c$}  {parameters:>d$}  {multiply_adds:>e$}"
            )?;
        }
        Ok(())
    }
}

/// `1234567` as `1 234 567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::{ConfigError, TemporalConvConfig, UNetConfig};

    #[test]
    fn rows_add_up_and_columns_line_up() -> Result<(), ConfigError> {
        let architecture = UNetConfig::new(32, 3)
            .with_base_channels(256)
            .with_channel_multipliers(vec![1, 1, 1])
            .with_res_blocks(3)
            .with_attention_resolutions(vec![8, 16])
            .with_classes(10)
            .with_temporal(Some(TemporalConvConfig { n_modes: 2 }));
        for times in [1, 4, 17] {
            let description = architecture.describe(times)?;
            assert_eq!(description.parameters(), architecture.parameter_count()?);
            let expected = architecture.multiply_adds(times)?;
            assert_eq!(description.multiply_adds(), expected);
            let table = description.to_string();
            let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
            assert!(widths.iter().all(|&width| width == widths[0]), "{table}");
            assert_eq!(widths.len(), description.rows.len() + 2);
        }
        let rows = architecture.describe(4)?.rows;
        let of = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
        assert_eq!(of("stem").output, [256, 32, 32]);
        assert_eq!(of("stem").multiply_adds, 9 * 3 * 256 * 1024);
        assert_eq!(of("layers.0").output, [4, 256, 32, 32]);
        assert_eq!(of("layers.1").layer, "temporal, 2 modes");
        assert_eq!(of("embedding.class").output, [1024]);
        assert_eq!(of("head").multiply_adds, 4 * 9 * 3 * 256 * 1024);
        Ok(())
    }
}
