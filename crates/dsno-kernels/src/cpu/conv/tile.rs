//! Winograd's minimal filtering `F(M×M, 3×3)`: `Y = Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A`.
//!
//! Polynomials of degree `M + 1` are multiplied by their values at `N = M + 2` points, one of them
//! infinity (Winograd 1980; Lavin and Gray 2016, arXiv:1509.09308). Every function here is one
//! dimension of a transform of vectors of channels; two dimensions are it twice.

use pulp::Simd;

/// `F(M×M, 3×3)` on tiles of `N × N` inputs, `N = M + 2`, with the adjoint of each transform.
pub(super) trait Tile<const M: usize, const N: usize>: Send + Sync {
    /// `Bᵀ d`.
    fn data<S: Simd>(simd: S, d: [S::f32s; N]) -> [S::f32s; N];
    /// `B v`.
    fn data_adjoint<S: Simd>(simd: S, v: [S::f32s; N]) -> [S::f32s; N];
    /// `Aᵀ m`.
    fn result<S: Simd>(simd: S, m: [S::f32s; N]) -> [S::f32s; M];
    /// `A y`.
    fn result_adjoint<S: Simd>(simd: S, y: [S::f32s; M]) -> [S::f32s; N];
    /// `G g`.
    fn weight<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; N];
    /// `Gᵀ u`.
    fn weight_adjoint<S: Simd>(simd: S, u: [S::f32s; N]) -> [S::f32s; 3];
}

/// `F(2×2, 3×3)` at the points 0, 1, −1, ∞.
pub(super) struct Two;

impl Tile<2, 4> for Two {
    #[inline(always)]
    fn data<S: Simd>(simd: S, d: [S::f32s; 4]) -> [S::f32s; 4] {
        [
            simd.sub_f32s(d[0], d[2]),
            simd.add_f32s(d[1], d[2]),
            simd.sub_f32s(d[2], d[1]),
            simd.sub_f32s(d[3], d[1]),
        ]
    }

    #[inline(always)]
    fn data_adjoint<S: Simd>(simd: S, v: [S::f32s; 4]) -> [S::f32s; 4] {
        let difference = simd.sub_f32s(v[1], v[2]);
        let sum = simd.add_f32s(v[1], v[2]);
        [
            v[0],
            simd.sub_f32s(difference, v[3]),
            simd.sub_f32s(sum, v[0]),
            v[3],
        ]
    }

    #[inline(always)]
    fn result<S: Simd>(simd: S, m: [S::f32s; 4]) -> [S::f32s; 2] {
        let (sum, difference) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
        [simd.add_f32s(m[0], sum), simd.add_f32s(difference, m[3])]
    }

    #[inline(always)]
    fn result_adjoint<S: Simd>(simd: S, y: [S::f32s; 2]) -> [S::f32s; 4] {
        [
            y[0],
            simd.add_f32s(y[0], y[1]),
            simd.sub_f32s(y[0], y[1]),
            y[1],
        ]
    }

    #[inline(always)]
    fn weight<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; 4] {
        let half = simd.splat_f32s(0.5);
        let even = simd.mul_f32s(half, simd.add_f32s(g[0], g[2]));
        let odd = simd.mul_f32s(half, g[1]);
        [
            g[0],
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            g[2],
        ]
    }

    #[inline(always)]
    fn weight_adjoint<S: Simd>(simd: S, u: [S::f32s; 4]) -> [S::f32s; 3] {
        let half = simd.splat_f32s(0.5);
        let sum = simd.add_f32s(u[1], u[2]);
        let difference = simd.sub_f32s(u[1], u[2]);
        [
            simd.mul_add_f32s(half, sum, u[0]),
            simd.mul_f32s(half, difference),
            simd.mul_add_f32s(half, sum, u[3]),
        ]
    }
}

/// `F(4×4, 3×3)` at the points 0, ±a, ±b, ∞ with `a = 2/3`, `b = 3/2`.
///
/// Against the usual 0, ±1, ±2, ∞ the error of single precision halves (7·10⁻⁷ for 1.7·10⁻⁶ of
/// sums over 64 channels), and `ab = 1` saves multiplications.
pub(super) struct Four;

const A: f64 = 2.0 / 3.0;
const B: f64 = 1.0 / A;
/// `a² + b²`.
const SQUARES: f64 = A * A + B * B;
/// `∏ (p − q)` over the other finite points `q`, for `p = ±a` and `p = ±b`.
const NORM_A: f64 = 2.0 * A * A * (A * A - B * B);
const NORM_B: f64 = 2.0 * B * B * (B * B - A * A);

#[inline(always)]
fn constant<S: Simd>(simd: S, value: f64) -> S::f32s {
    simd.splat_f32s(value as f32)
}

impl Tile<4, 6> for Four {
    #[inline(always)]
    fn data<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
        let [a, b] = [constant(simd, A), constant(simd, B)];
        let [a2, b2] = [constant(simd, -A * A), constant(simd, -B * B)];
        let squares = constant(simd, -SQUARES);
        let even_a = simd.mul_add_f32s(b2, d[2], d[4]);
        let odd_a = simd.mul_add_f32s(b2, d[1], d[3]);
        let even_b = simd.mul_add_f32s(a2, d[2], d[4]);
        let odd_b = simd.mul_add_f32s(a2, d[1], d[3]);
        [
            simd.mul_add_f32s(squares, d[2], simd.add_f32s(d[0], d[4])),
            simd.mul_add_f32s(a, odd_a, even_a),
            simd.negate_mul_add_f32s(a, odd_a, even_a),
            simd.mul_add_f32s(b, odd_b, even_b),
            simd.negate_mul_add_f32s(b, odd_b, even_b),
            simd.mul_add_f32s(squares, d[3], simd.add_f32s(d[1], d[5])),
        ]
    }

    #[inline(always)]
    fn data_adjoint<S: Simd>(simd: S, v: [S::f32s; 6]) -> [S::f32s; 6] {
        let [a, b] = [constant(simd, A), constant(simd, B)];
        let [a2, b2] = [constant(simd, -A * A), constant(simd, -B * B)];
        let squares = constant(simd, -SQUARES);
        let even_a = simd.add_f32s(v[1], v[2]);
        let odd_a = simd.mul_f32s(a, simd.sub_f32s(v[1], v[2]));
        let even_b = simd.add_f32s(v[3], v[4]);
        let odd_b = simd.mul_f32s(b, simd.sub_f32s(v[3], v[4]));
        let first = simd.mul_add_f32s(b2, odd_a, simd.mul_add_f32s(a2, odd_b, v[5]));
        let second = simd.mul_add_f32s(b2, even_a, simd.mul_f32s(a2, even_b));
        [
            v[0],
            first,
            simd.mul_add_f32s(squares, v[0], second),
            simd.mul_add_f32s(squares, v[5], simd.add_f32s(odd_a, odd_b)),
            simd.add_f32s(v[0], simd.add_f32s(even_a, even_b)),
            v[5],
        ]
    }

    #[inline(always)]
    fn result<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
        let [a, b] = [constant(simd, A), constant(simd, B)];
        let [a2, b2] = [constant(simd, A * A), constant(simd, B * B)];
        let [a3, b3] = [constant(simd, A * A * A), constant(simd, B * B * B)];
        let (even_a, odd_a) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
        let (even_b, odd_b) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
        [
            simd.add_f32s(m[0], simd.add_f32s(even_a, even_b)),
            simd.mul_add_f32s(a, odd_a, simd.mul_f32s(b, odd_b)),
            simd.mul_add_f32s(a2, even_a, simd.mul_f32s(b2, even_b)),
            simd.mul_add_f32s(a3, odd_a, simd.mul_add_f32s(b3, odd_b, m[5])),
        ]
    }

    #[inline(always)]
    fn result_adjoint<S: Simd>(simd: S, y: [S::f32s; 4]) -> [S::f32s; 6] {
        let [a, b] = [constant(simd, A), constant(simd, B)];
        let [a2, b2] = [constant(simd, A * A), constant(simd, B * B)];
        let even_a = simd.mul_add_f32s(a2, y[2], y[0]);
        let odd_a = simd.mul_add_f32s(a2, y[3], y[1]);
        let even_b = simd.mul_add_f32s(b2, y[2], y[0]);
        let odd_b = simd.mul_add_f32s(b2, y[3], y[1]);
        [
            y[0],
            simd.mul_add_f32s(a, odd_a, even_a),
            simd.negate_mul_add_f32s(a, odd_a, even_a),
            simd.mul_add_f32s(b, odd_b, even_b),
            simd.negate_mul_add_f32s(b, odd_b, even_b),
            y[3],
        ]
    }

    #[inline(always)]
    fn weight<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; 6] {
        let [a, minus_a] = weight_pair(simd, A, NORM_A, g);
        let [b, minus_b] = weight_pair(simd, B, NORM_B, g);
        [g[0], a, minus_a, b, minus_b, g[2]]
    }

    #[inline(always)]
    fn weight_adjoint<S: Simd>(simd: S, u: [S::f32s; 6]) -> [S::f32s; 3] {
        let a = weight_pair_adjoint(simd, A, NORM_A, [u[1], u[2]]);
        let b = weight_pair_adjoint(simd, B, NORM_B, [u[3], u[4]]);
        [
            simd.add_f32s(u[0], simd.add_f32s(a[0], b[0])),
            simd.add_f32s(a[1], b[1]),
            simd.add_f32s(u[5], simd.add_f32s(a[2], b[2])),
        ]
    }
}

/// `(g₀ ± p·g₁ + p²·g₂) / norm`.
#[inline(always)]
fn weight_pair<S: Simd>(simd: S, p: f64, norm: f64, g: [S::f32s; 3]) -> [S::f32s; 2] {
    let even = simd.mul_f32s(constant(simd, 1.0 / norm), g[0]);
    let even = simd.mul_add_f32s(constant(simd, p * p / norm), g[2], even);
    let odd = simd.mul_f32s(constant(simd, p / norm), g[1]);
    [simd.add_f32s(even, odd), simd.sub_f32s(even, odd)]
}

/// What the values at `±p` contribute to `Gᵀ u`.
#[inline(always)]
fn weight_pair_adjoint<S: Simd>(simd: S, p: f64, norm: f64, u: [S::f32s; 2]) -> [S::f32s; 3] {
    let (even, odd) = (simd.add_f32s(u[0], u[1]), simd.sub_f32s(u[0], u[1]));
    [
        simd.mul_f32s(constant(simd, 1.0 / norm), even),
        simd.mul_f32s(constant(simd, p / norm), odd),
        simd.mul_f32s(constant(simd, p * p / norm), even),
    ]
}
