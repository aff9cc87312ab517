use dsno_checkpoint::HostTensor;

use super::*;
use crate::entry::Entry;

fn counting(shape: &[usize], from: f32) -> HostTensor {
    let count: usize = shape.iter().product();
    HostTensor {
        shape: shape.to_vec(),
        values: (0..count).map(|k| from + k as f32).collect(),
    }
}

fn entry(shape: &[usize], parts: usize, layout: Layout) -> Entry {
    Entry {
        ours: "ours".to_owned(),
        shape: shape.to_vec(),
        theirs: (0..parts).map(|part| format!("theirs.{part}")).collect(),
        layout,
        squeezes: false,
    }
}

fn at(tensor: &HostTensor, index: &[usize]) -> f32 {
    let place = index
        .iter()
        .zip(&tensor.shape)
        .fold(0, |p, (i, n)| p * n + i);
    tensor.values[place]
}

/// What is written back is what was read.
fn read(entry: &Entry, stored: &[HostTensor]) -> HostTensor {
    let ours = entry.read(stored.to_vec());
    let written = entry.clone().write(ours.clone()).map(|(_, tensor)| tensor);
    assert_eq!(written.collect::<Vec<_>>(), stored);
    ours
}

#[test]
fn every_value_finds_its_place() {
    let of = entry(&[2, 3], 1, Layout::transposed([2, 3], 0));
    assert_eq!(of.layout.stored(), [3, 2]);
    let stored = counting(&[3, 2], 0.0);
    let ours = read(&of, std::slice::from_ref(&stored));
    assert_eq!(at(&ours, &[1, 2]), at(&stored, &[2, 1]));

    let of = entry(&[4, 2, 3, 3], 1, Layout::channels_last([4, 2, 3, 3]));
    assert_eq!(of.layout.stored(), [3, 3, 2, 4]);
    let stored = counting(&[3, 3, 2, 4], 0.0);
    let ours = read(&of, std::slice::from_ref(&stored));
    for [o, i, h, w] in [[3, 1, 2, 0], [0, 1, 0, 2], [2, 0, 1, 1]] {
        assert_eq!(at(&ours, &[o, i, h, w]), at(&stored, &[h, w, i, o]));
    }
}

#[test]
fn heads_lie_one_behind_the_other_with_their_queries_keys_and_values() {
    // Five inputs, two heads of three channels.
    let of = entry(&[5, 18], 3, Layout::qkv_of_flax(&[5, 18], 2));
    assert_eq!(of.layout.stored(), [5, 2, 3]);
    let parts: Vec<HostTensor> = [0.0, 100.0, 200.0]
        .map(|from| counting(&[5, 2, 3], from))
        .into();
    let ours = read(&of, &parts);
    for (which, part) in parts.iter().enumerate() {
        for [row, head, d] in [[0, 0, 0], [4, 1, 2], [2, 0, 1], [3, 1, 0]] {
            let column = head * 9 + which * 3 + d;
            assert_eq!(at(&ours, &[row, column]), at(part, &[row, head, d]));
        }
    }
    let biases = [0.0, 10.0, 20.0].map(|from| counting(&[2, 3], from));
    let of = entry(&[18], 3, Layout::qkv_of_flax(&[18], 2));
    let ours = read(&of, &biases);
    assert_eq!(ours.values[..9], [0., 1., 2., 10., 11., 12., 20., 21., 22.]);
    // With one head it is what a concatenation would give.
    let of = entry(&[1, 6], 3, Layout::qkv_of_flax(&[1, 6], 1));
    let parts = [0.0, 10.0, 20.0].map(|from| counting(&[1, 1, 2], from));
    let ours = read(&of, &parts);
    assert_eq!(ours.values, [0., 1., 10., 11., 20., 21.]);
}

#[test]
fn every_order_of_queries_keys_and_values_is_undone() {
    // Row of the stored matrix that holds channel `c` of part `p` of head `h`.
    type Row = fn(usize, usize, usize) -> usize;
    let (i, heads, d) = (5, 2, 3);
    let rows: [(QkvOrder, Row); 4] = [
        (QkvOrder::HeadsFirst, |h, p, c| h * 9 + p * 3 + c),
        (QkvOrder::PartsFirst, |h, p, c| p * 6 + h * 3 + c),
        (QkvOrder::PartsLast, |h, p, c| h * 9 + c * 3 + p),
        (QkvOrder::Apart, |h, p, c| p * 6 + h * 3 + c),
    ];
    for (order, row) in rows {
        let parts = if order == QkvOrder::Apart { 3 } else { 1 };
        let of = entry(&[i, 18], parts, Layout::qkv([i, 18], heads, order, 1));
        assert_eq!(of.layout.stored(), [18 / parts, i, 1]);
        let whole = counting(&[18, i], 0.0);
        let stored = whole.values.chunks(90 / parts).map(|values| HostTensor {
            shape: of.layout.stored().to_vec(),
            values: values.to_vec(),
        });
        let ours = read(&of, &stored.collect::<Vec<_>>());
        let bias = entry(&[18], parts, Layout::qkv_bias(18, heads, order));
        let biases = counting(&[18], 0.0).values;
        let biases = biases.chunks(18 / parts).map(|values| HostTensor {
            shape: vec![values.len()],
            values: values.to_vec(),
        });
        let biases = read(&bias, &biases.collect::<Vec<_>>());
        for (h, p, c) in [(0, 0, 0), (1, 2, 2), (0, 1, 2), (1, 0, 1)] {
            let column = h * 3 * d + p * d + c;
            let row = row(h, p, c);
            assert_eq!(at(&ours, &[4, column]), at(&whole, &[row, 4]), "{order:?}");
            assert_eq!(biases.values[column], row as f32, "{order:?}");
        }
    }
}
