use burn::tensor::{Device, Tensor, TensorData};

/// Sines and cosines of a time at geometrically falling rates.
///
/// ```text
/// rate_i = 10000^(−i/(half − shift)),   i < half = width/2
/// row    = [sin(rate·time) | cos(rate·time)]  or the cosines first; a zero at the end of an odd width
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sinusoids {
    pub(crate) width: usize,
    pub(crate) cosines_first: bool,
    pub(crate) shift: usize,
}

impl Sinusoids {
    /// `[N, width]` for `N` times, row by row.
    fn table(self, times: &[f64]) -> Vec<f32> {
        let half = self.width / 2;
        let span = half as f64 - self.shift as f64;
        let rate = |i: usize| (-(10_000_f64.ln()) * i as f64 / span).exp();
        let (sine, cosine) = if self.cosines_first {
            (half, 0)
        } else {
            (0, half)
        };
        let mut table = vec![0.0_f32; times.len() * self.width];
        for (row, time) in table.chunks_mut(self.width).zip(times) {
            for i in 0..half {
                let phase = time * rate(i);
                row[sine + i] = phase.sin() as f32;
                row[cosine + i] = phase.cos() as f32;
            }
        }
        table
    }

    pub(super) fn tensor(self, times: &[f64], device: &Device) -> Tensor<2> {
        let table = TensorData::new(self.table(times), [times.len(), self.width]);
        Tensor::from_data(table, device)
    }
}
