use super::*;
use crate::cpu::testing::noise;

const SHAPES: [[usize; 3]; 7] = [
    [2, 2, 1],
    [4, 6, 3],
    [8, 8, 32],
    [2, 4, 48],
    [6, 2, 17],
    [4, 4, 4],
    [16, 16, 64],
];

fn dims(images: usize, of: ImageShape) -> [usize; 4] {
    [images, of.height, of.width, of.channels]
}

fn shape([height, width, channels]: [usize; 3]) -> ImageShape {
    ImageShape {
        height,
        width,
        channels,
    }
}

/// Pixel `(row, column)` of image `n`.
fn pixel(of: ImageShape, x: &[f32], [n, row, column]: [usize; 3]) -> &[f32] {
    &x[n * of.size() + (row * of.width + column) * of.channels..][..of.channels]
}

#[test]
fn halving_takes_means_of_four() {
    for input in SHAPES.map(shape) {
        let x = noise(1, 3 * input.size());
        let (y, output) = (
            forward(Resample::Halve, dims(3, input), &x),
            Resample::Halve.result_of(input),
        );
        assert_eq!(y.len(), 3 * output.size());
        for at in (0..3 * output.height * output.width).map(|at| {
            let (n, at) = (
                at / (output.height * output.width),
                at % (output.height * output.width),
            );
            [n, at / output.width, at % output.width]
        }) {
            let of = |i, j| pixel(input, &x, [at[0], 2 * at[1] + i, 2 * at[2] + j]);
            let found = pixel(output, &y, at);
            for (c, found) in found.iter().enumerate() {
                let exact = (of(0, 0)[c] + of(0, 1)[c]) + (of(1, 0)[c] + of(1, 1)[c]);
                assert_eq!(*found, exact / 4.0);
            }
        }
    }
}

#[test]
fn doubling_repeats_pixels() {
    for input in SHAPES.map(shape) {
        let x = noise(2, 2 * input.size());
        let (y, output) = (
            forward(Resample::Double, dims(2, input), &x),
            Resample::Double.result_of(input),
        );
        assert_eq!(y.len(), 2 * output.size());
        for n in 0..2 {
            for row in 0..output.height {
                for column in 0..output.width {
                    let expected = pixel(input, &x, [n, row / 2, column / 2]);
                    assert_eq!(pixel(output, &y, [n, row, column]), expected);
                }
            }
        }
    }
}

/// On whole numbers all sums are exact, so that transposes can be compared without tolerance.
#[test]
fn gradients_are_exact_transposes() {
    let whole = |seed, len| -> Vec<f32> {
        noise(seed, len)
            .iter()
            .map(|x| (x * 64.0).round() * 4.0)
            .collect()
    };
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum()
    };
    for input in SHAPES.map(shape) {
        for resample in [Resample::Keep, Resample::Halve, Resample::Double] {
            let x = whole(3, 5 * input.size());
            let dy = whole(4, 5 * resample.result_of(input).size());
            let (y, dx) = (
                forward(resample, dims(5, input), &x),
                backward(resample, dims(5, input), &dy),
            );
            assert_eq!(dx.len(), x.len());
            assert_eq!(dot(&y, &dy), dot(&x, &dx), "{resample:?} {input:?}");
        }
    }
}

#[test]
fn strides_leave_what_lies_between_rows() {
    for input in SHAPES.map(shape) {
        for resample in [Resample::Keep, Resample::Halve, Resample::Double] {
            let output = resample.result_of(input);
            let (x, dy) = (noise(5, input.size()), noise(6, output.size()));
            let [from, to] = [input, output].map(|shape| shape.row() + 5);
            let wide = |x: &[f32], row: usize, stride: usize| -> Vec<f32> {
                x.chunks_exact(row)
                    .flat_map(|x| [x, &vec![9.0; stride - row]].concat())
                    .collect()
            };
            let mut y = vec![9.0; output.height * to];
            resample.image(input, [from, to], &wide(&x, input.row(), from), &mut y);
            assert_eq!(
                y,
                wide(&forward(resample, dims(1, input), &x), output.row(), to)
            );
            let mut dx = vec![9.0; input.height * from];
            resample.image_backward(input, [to, from], &wide(&dy, output.row(), to), &mut dx);
            assert_eq!(
                dx,
                wide(&backward(resample, dims(1, input), &dy), input.row(), from)
            );
        }
    }
}
