//! How the values of a parameter lie in another program's file.

/// A reordering of axes between the tensors of a file and a parameter of ours.
///
/// The stored tensors, joined one behind the other, are looked at as an array with `axes`; its axes
/// taken in the given `order` are the parameter, row-major. Every layout that published files use is
/// of this kind, so that one rule reads and writes them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Shape of each stored tensor.
    stored: Vec<usize>,
    axes: Vec<usize>,
    order: Vec<usize>,
}

/// In which order a file holds the outputs of a projection to queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QkvOrder {
    /// Head by head, `[q | k | v]` within each: as ours.
    HeadsFirst,
    /// `[q | k | v]`, head by head within each.
    PartsFirst,
    /// Head by head, channel by channel, with `q`, `k`, `v` innermost.
    PartsLast,
    /// Three tensors, head by head within each.
    Apart,
}

impl Layout {
    fn new(stored: Vec<usize>, axes: &[usize], order: &[usize]) -> Self {
        Self {
            stored,
            axes: axes.to_vec(),
            order: order.to_vec(),
        }
    }

    /// As ours.
    pub(crate) fn same(shape: &[usize]) -> Self {
        let order: Vec<usize> = (0..shape.len()).collect();
        Self::new(shape.to_vec(), shape, &order)
    }

    /// As ours, stored with another shape.
    pub(crate) fn reshaped(shape: &[usize], stored: Vec<usize>) -> Self {
        Self {
            stored,
            ..Self::same(shape)
        }
    }

    /// `[out, in]` with so many ones behind; ours is `[in, out]`.
    pub(crate) fn transposed([i, o]: [usize; 2], ones: usize) -> Self {
        let stored = [vec![o, i], vec![1; ones]].concat();
        Self::new(stored, &[o, i], &[1, 0])
    }

    /// `[h, w, in, out]`; ours is `[out, in, h, w]`.
    pub(crate) fn channels_last([o, i, h, w]: [usize; 4]) -> Self {
        let axes = [h, w, i, o];
        Self::new(axes.to_vec(), &axes, &[3, 2, 0, 1])
    }

    /// A projection to queries, keys and values as PyTorch keeps it, `[3·out, in]`; ours is
    /// `[in, heads · 3 · d]`.
    pub(crate) fn qkv([i, o]: [usize; 2], heads: usize, from: QkvOrder, ones: usize) -> Self {
        let d = o / 3 / heads;
        let rows = if from == QkvOrder::Apart { o / 3 } else { o };
        let stored = [vec![rows, i], vec![1; ones]].concat();
        let (axes, order) = from.axes(heads, d);
        let axes = [&axes[..], &[i]].concat();
        let order = [&[3], &order[..]].concat();
        Self::new(stored, &axes, &order)
    }

    /// Its bias.
    pub(crate) fn qkv_bias(len: usize, heads: usize, from: QkvOrder) -> Self {
        let (axes, order) = from.axes(heads, len / 3 / heads);
        let rows = if from == QkvOrder::Apart {
            len / 3
        } else {
            len
        };
        Self::new(vec![rows], &axes, &order)
    }

    /// Three tensors `[…, heads, d]`, as Flax keeps them; ours is `[…, heads · 3 · d]`.
    pub(crate) fn qkv_of_flax(shape: &[usize], heads: usize) -> Self {
        let (&last, rest) = shape.split_last().expect("invariant: shapes have axes");
        let d = last / 3 / heads;
        let rows: usize = rest.iter().product();
        let stored = [rest, &[heads, d]].concat();
        Self::new(stored, &[3, rows, heads, d], &[1, 2, 0, 3])
    }

    /// Shape of each stored tensor.
    pub(crate) fn stored(&self) -> &[usize] {
        &self.stored
    }

    /// The parameter's values, from those stored.
    pub(crate) fn read(&self, stored: Vec<f32>) -> Vec<f32> {
        permuted(stored, &self.axes, &self.order)
    }

    /// The values to store, from the parameter's.
    pub(crate) fn write(&self, ours: Vec<f32>) -> Vec<f32> {
        let axes: Vec<usize> = self.order.iter().map(|&axis| self.axes[axis]).collect();
        let mut inverse = vec![0; self.order.len()];
        for (place, &axis) in self.order.iter().enumerate() {
            inverse[axis] = place;
        }
        permuted(ours, &axes, &inverse)
    }
}

impl QkvOrder {
    /// Lengths of the axes of the outputs as stored, and where heads, parts and channels are among them.
    fn axes(self, heads: usize, d: usize) -> ([usize; 3], [usize; 3]) {
        match self {
            Self::HeadsFirst => ([heads, 3, d], [0, 1, 2]),
            Self::PartsFirst | Self::Apart => ([3, heads, d], [1, 0, 2]),
            Self::PartsLast => ([heads, d, 3], [0, 2, 1]),
        }
    }
}

/// Row-major `values` with `axes`, the axes taken in another order.
fn permuted(values: Vec<f32>, axes: &[usize], order: &[usize]) -> Vec<f32> {
    if order.is_sorted() {
        return values;
    }
    let mut strides = vec![1; axes.len()];
    for axis in (1..axes.len()).rev() {
        strides[axis - 1] = strides[axis] * axes[axis];
    }
    let lengths: Vec<usize> = order.iter().map(|&axis| axes[axis]).collect();
    let strides: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
    let mut index = vec![0; order.len()];
    let mut place = 0;
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        out.push(values[place]);
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < lengths[axis] {
                break;
            }
            place -= strides[axis] * lengths[axis];
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests;
