use super::*;

fn counting(shape: &[usize], from: f32) -> HostTensor {
    let count: usize = shape.iter().product();
    HostTensor {
        shape: shape.to_vec(),
        values: (0..count).map(|k| from + k as f32).collect(),
    }
}

fn entry(shape: &[usize], layout: Layout) -> Entry {
    Entry {
        ours: "ours".to_owned(),
        shape: shape.to_vec(),
        theirs: vec!["theirs".to_owned()],
        layout,
    }
}

fn at(tensor: &HostTensor, index: &[usize]) -> f32 {
    let place = index
        .iter()
        .zip(&tensor.shape)
        .fold(0, |p, (i, n)| p * n + i);
    tensor.values[place]
}

#[test]
fn every_value_finds_its_place() {
    let entry_of = entry(&[2, 3], Layout::Transposed);
    assert_eq!(entry_of.stored_shape(), [3, 2]);
    let stored = counting(&[3, 2], 0.0);
    let ours = entry_of.convert(vec![stored.clone()]);
    assert_eq!(at(&ours, &[1, 2]), at(&stored, &[2, 1]));

    let entry_of = entry(&[4, 2, 3, 3], Layout::ChannelsLast);
    assert_eq!(entry_of.stored_shape(), [3, 3, 2, 4]);
    let stored = counting(&[3, 3, 2, 4], 0.0);
    let ours = entry_of.convert(vec![stored.clone()]);
    for [o, i, h, w] in [[3, 1, 2, 0], [0, 1, 0, 2], [2, 0, 1, 1]] {
        assert_eq!(at(&ours, &[o, i, h, w]), at(&stored, &[h, w, i, o]));
    }
}

#[test]
fn heads_lie_one_behind_the_other_with_their_queries_keys_and_values() {
    // Five inputs, two heads of three channels.
    let entry_of = entry(&[5, 18], Layout::HeadsApart { heads: 2 });
    assert_eq!(entry_of.stored_shape(), [5, 2, 3]);
    let parts: Vec<HostTensor> = [0.0, 100.0, 200.0]
        .map(|from| counting(&[5, 2, 3], from))
        .into();
    let ours = entry_of.convert(parts.clone());
    for (which, part) in parts.iter().enumerate() {
        for [row, head, d] in [[0, 0, 0], [4, 1, 2], [2, 0, 1], [3, 1, 0]] {
            let column = head * 9 + which * 3 + d;
            assert_eq!(at(&ours, &[row, column]), at(part, &[row, head, d]));
        }
    }
    let biases = [0.0, 10.0, 20.0].map(|from| counting(&[2, 3], from));
    let entry_of = entry(&[18], Layout::HeadsApart { heads: 2 });
    let ours = entry_of.convert(biases.into());
    assert_eq!(ours.values[..9], [0., 1., 2., 10., 11., 12., 20., 21., 22.]);
    // With one head it is what a concatenation would give.
    let entry_of = entry(&[1, 6], Layout::HeadsApart { heads: 1 });
    let ours = entry_of.convert(
        [0.0, 10.0, 20.0]
            .map(|from| counting(&[1, 1, 2], from))
            .into(),
    );
    assert_eq!(ours.values, [0., 1., 10., 11., 20., 21.]);
}
