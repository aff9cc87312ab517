//! Convolutions from or to a few channels, as plain products of matrices.
//!
//! From a few: `y[p] = Σ_k x[p + k]·W_k`, one product of the nine neighbours' channels side by side.
//! To a few: one product gives what each pixel contributes to its nine neighbours, which are summed.
//! Each is the other's data gradient.

use super::super::gemm::Gemm;
use super::super::norm::Moments;
use super::super::scratch::{Scratch, for_overwrite};
use super::super::threads;
use super::gradient::InputGradients;
use super::neighbours::Neighbours;
use super::reader::{Input, Reader};
use super::{ConvGradients, ConvShape, add_pixels, weight};

fn product(rows: usize, columns: usize, depth: usize, accumulate: bool) -> Gemm {
    Gemm::dense([rows, columns], depth, [depth, 1], accumulate)
}

/// Which side of the convolution has few channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
}

impl Side {
    fn neighbours(self, shape: ConvShape) -> Neighbours {
        let (height, width) = (shape.height, shape.width);
        match self {
            Self::Input => Neighbours {
                height,
                width,
                channels: shape.channels_in,
                strides: [9, 1],
            },
            Self::Output => {
                let channels = shape.channels_out;
                Neighbours {
                    height,
                    width,
                    channels,
                    strides: [1, channels],
                }
            }
        }
    }
}

/// `conv(x) + bias + residual`, and the moments of all images that are normalised.
pub(super) fn forward(
    side: Side,
    shape: ConvShape,
    input: Input<'_>,
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> (Vec<f32>, Vec<Moments>) {
    let [inputs, outputs] = [shape.channels_in, shape.channels_out];
    let pixels = shape.height * shape.width;
    let to = pixels * outputs;
    let taps = weight::taps(weight, [inputs, outputs], outputs);
    let taps = &taps[..];
    let neighbours = side.neighbours(shape);
    let mut y = for_overwrite(shape.images * to);
    let ranges = threads::ranges(shape.images, 18 * pixels * inputs * outputs);
    let parts = threads::split(&mut y, &ranges, to);
    let moments = threads::run(ranges.into_iter().zip(parts).collect(), |(range, y)| {
        let mut patches = Scratch::take(neighbours.len());
        let mut x = Scratch::take(pixels * inputs);
        let mut reader = Reader::new(input, range.start, Vec::new());
        for (image, y) in range.zip(y.chunks_mut(to)) {
            match residual {
                Some(residual) => y.copy_from_slice(&residual[image * to..][..to]),
                None => y.fill(0.0),
            }
            if let Some(bias) = bias {
                for y in y.chunks_mut(outputs) {
                    y.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
                }
            }
            reader.write(image, 0..shape.height, &mut x, shape.width * inputs);
            match side {
                Side::Input => {
                    neighbours.gather(&x, false, &mut patches);
                    product(pixels, outputs, 9 * inputs, true).run(&patches, taps, y);
                }
                Side::Output => {
                    product(pixels, 9 * outputs, inputs, false).run(&x, taps, &mut patches);
                    neighbours.sum(&patches, false, y);
                }
            }
        }
        reader.into_moments()
    });
    (y, moments.concat())
}

/// Gradients of `Σ dy ∘ conv(x)`; `wanted` are those of what comes before the convolution.
pub(super) fn backward(
    side: Side,
    shape: ConvShape,
    input: Input<'_>,
    moments: &[Moments],
    weight: &[f32],
    dy: &[f32],
    wanted: bool,
) -> ConvGradients {
    let [inputs, outputs] = [shape.channels_in, shape.channels_out];
    let pixels = shape.height * shape.width;
    let (line, to) = (shape.width * inputs, pixels * outputs);
    // `[C_out][C_in·3·3]` is stored; `[3·3·C_out][C_in]` is made.
    let turned = match side {
        Side::Input => None,
        Side::Output => Some(weight::turned(weight, [inputs, outputs])),
    };
    let turned = turned.as_deref().unwrap_or(weight);
    let neighbours = side.neighbours(shape);
    let mut gradients = InputGradients::new(input, shape.images, wanted);
    let ranges = threads::ranges(shape.images, 36 * pixels * inputs * outputs);
    let parts = gradients.split(&ranges);
    let partials = threads::run(
        ranges.into_iter().zip(parts).collect(),
        |(range, mut part)| {
            let mut patches = Scratch::take(neighbours.len());
            let mut x = Scratch::take(pixels * inputs);
            let (mut taps, mut bias) = (Scratch::zeros(9 * inputs * outputs), vec![0.0; outputs]);
            let groups = input.groups();
            let known = moments[range.start * groups..range.end * groups].to_vec();
            let mut reader = Reader::new(input, range.start, known);
            for image in range {
                let dy = &dy[image * to..][..to];
                add_pixels(dy, &mut bias);
                reader.write(image, 0..shape.height, &mut x, line);
                if side == Side::Input {
                    neighbours.gather(&x, false, &mut patches);
                    transposed(9 * inputs, outputs, pixels).run(&patches, dy, &mut taps);
                    if wanted {
                        product(pixels, 9 * inputs, outputs, false).run(dy, turned, &mut patches);
                        x.fill(0.0);
                        neighbours.sum(&patches, true, &mut x);
                    }
                } else {
                    neighbours.gather(dy, true, &mut patches);
                    transposed(inputs, 9 * outputs, pixels).run(&x, &patches, &mut taps);
                    if wanted {
                        product(pixels, inputs, 9 * outputs, false).run(&patches, turned, &mut x);
                    }
                }
                if wanted {
                    // Its gradient is now in the image's place.
                    reader.backward(image, &x, line, part.of(image));
                }
            }
            (taps, bias)
        },
    );
    let (mut taps, mut bias) = (Scratch::zeros(9 * inputs * outputs), vec![0.0; outputs]);
    for (d_taps, d_bias) in &partials {
        threads::add(&mut taps, d_taps.iter().copied());
        threads::add(&mut bias, d_bias.iter().copied());
    }
    gradients.with(
        wanted,
        weight::stored(&taps, [inputs, outputs], outputs),
        bias,
    )
}

/// `C += Aᵀ·B` where `A` is stored in rows of `rows` values.
fn transposed(rows: usize, columns: usize, depth: usize) -> Gemm {
    Gemm::dense([rows, columns], depth, [1, rows], true)
}
