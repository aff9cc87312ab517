use dsno_checkpoint::{CheckpointError, CheckpointFormat, ParseError};

use super::fault;
use crate::{Tensors, read_all};

/// A stream of pickles around `value` and the list of storages' keys.
fn stream(value: &[u8], keys: &[u8], data: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";
    let version = b"\x80\x02M\xe9\x03.";
    let system = b"\x80\x02}.";
    [&magic[..], version, system, value, keys, data].concat()
}

fn pickle(value: &[u8]) -> Result<Tensors, CheckpointError> {
    let value = [b"\x80\x02", value].concat();
    read_all(&stream(&value, b"\x80\x02].", &[]), CheckpointFormat::Torch)
}

/// A dictionary of one tensor: a view of a storage `s` of so many f32, of which two are stored.
fn tensor(elements: &[u8], first: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    tensor_and(elements, first, shape, strides, b"")
}

/// The same with a last argument.
fn tensor_and(elements: &[u8], first: &[u8], shape: &[u8], strides: &[u8], last: &[u8]) -> Vec<u8> {
    let value = [
        &b"\x80\x02}X\x01\0\0\0tctorch._utils\n_rebuild_tensor_v2\n(("[..],
        b"X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0sX\x03\0\0\0cpu",
        elements,
        b"tQ",
        first,
        shape,
        strides,
        b"\x89}",
        last,
        b"tRs.",
    ]
    .concat();
    let data = [&2_u64.to_le_bytes()[..], &[0; 8]].concat();
    stream(&value, b"\x80\x02]X\x01\0\0\0sa.", &data)
}

#[test]
fn pytorch_tensors_that_claim_too_much() {
    let read = |elements: &[u8], first: &[u8], shape: &[u8], strides: &[u8]| {
        let bytes = tensor(elements, first, shape, strides);
        read_all(&bytes, CheckpointFormat::Torch)
    };
    // 2⁶⁰, 2⁶³ − 1 and −1.
    let (huge, most) = (
        b"\x8a\x08\0\0\0\0\0\0\0\x10",
        b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    );
    let below = b"\x8a\x01\xff";
    assert!(read(b"K\x02", b"K\0", b"K\x02\x85", b"K\x01\x85").is_ok());
    assert!(read(b"K\x02", b"K\x01", b"K\0K\x05\x86", b"K\x01K\x01\x86").is_ok());
    let huge_axis = [&huge[..], b"\x85"].concat();
    let expected = read(huge, b"K\0", &huge_axis, b"K\x01\x85");
    assert_fault!(expected, ParseError::StorageSize { found: 8, .. });
    assert_fault!(
        read(b"K\x02", b"K\0", &huge_axis, b"K\x01\x85"),
        ParseError::Outside { .. }
    );
    assert_fault!(
        read(b"K\x02", b"K\0", &huge_axis, b"K\0\x85"),
        ParseError::TooLarge { .. }
    );
    let three = [&huge[..], huge, huge, b"\x87"].concat();
    assert_fault!(
        read(b"K\x02", b"K\0", &three, b"K\0K\0K\0\x87"),
        ParseError::TooLarge { .. }
    );
    let far = [&most[..], b"\x85"].concat();
    assert_fault!(
        read(b"K\x02", b"K\0", b"K\x03\x85", &far),
        ParseError::Outside { .. }
    );
    assert!(read(b"K\x02", b"K\0", b"K\x01\x85", &far).is_ok());
    assert_fault!(
        read(b"K\x02", most, b"K\x01\x85", b"K\x01\x85"),
        ParseError::Outside { .. }
    );
    let negative = [&below[..], b"\x85"].concat();
    assert_fault!(
        read(b"K\x02", below, b"K\x01\x85", b"K\x01\x85"),
        ParseError::Description { .. }
    );
    assert_fault!(
        read(b"K\x02", b"K\0", b"K\x02\x85", &negative),
        ParseError::Description { .. }
    );
    assert_fault!(
        read(b"K\x02", b"K\0", &negative, b"K\x01\x85"),
        ParseError::Description { .. }
    );
    assert_fault!(
        read(below, b"K\0", b"K\x02\x85", b"K\x01\x85"),
        ParseError::Description { .. }
    );
    assert_fault!(
        read(b"K\x02", b"K\0", b"K\x02\x85", b")"),
        ParseError::Description { .. }
    );
    let axes = [&b"("[..], &b"K\x01".repeat(1000), b"t"].concat();
    assert_fault!(
        read(b"K\x02", b"K\0", &axes, &axes),
        ParseError::Description { .. }
    );
}

#[test]
fn pickles_that_grow() {
    // Texts and lists that are never there.
    let text = [&b"\x8d"[..], &(1_u64 << 60).to_le_bytes(), b"."].concat();
    assert_fault!(pickle(&text), ParseError::IndexTooLarge { .. });
    assert_fault!(
        pickle(b"X\xff\xff\xff\xff"),
        ParseError::IndexTooLarge { .. }
    );
    let bytes = [&b"\x8e"[..], &u64::MAX.to_le_bytes(), b"."].concat();
    assert_fault!(pickle(&bytes), ParseError::Truncated { .. });
    assert_fault!(
        pickle(b"\x8b\xff\xff\xff\xff"),
        ParseError::Truncated { .. }
    );
    // Containers in containers: built, since that needs no recursion, and then not walked.
    let deep = |open: &[u8], close: &[u8]| {
        let tensor = tensor(b"K\x02", b"K\0", b"K\x02\x85", b"K\x01\x85");
        let begin = tensor.windows(2).position(|w| w == b"}X").unwrap();
        let end = tensor.len() - b".\x80\x02]X\x01\0\0\0sa.".len() - 16;
        let (head, value, tail) = (&tensor[..begin], &tensor[begin..end], &tensor[end..]);
        let bytes = [head, open, value, close, tail].concat();
        read_all(&bytes, CheckpointFormat::Torch)
    };
    assert!(deep(&b"]".repeat(10), &b"a".repeat(10)).is_ok());
    assert_fault!(
        deep(&b"]".repeat(100), &b"a".repeat(100)),
        ParseError::TooDeep { .. }
    );
    assert_fault!(
        deep(b"", &b"\x85".repeat(1_000)),
        ParseError::TooDeep { .. }
    );
    let most = 1_000_000;
    assert_fault!(
        deep(&b"]".repeat(most), &b"a".repeat(most)),
        ParseError::IndexTooLarge { .. }
    );
    assert_fault!(pickle(&b"(".repeat(most)), ParseError::IndexTooLarge { .. });
    assert_fault!(pickle(&b"N".repeat(most)), ParseError::IndexTooLarge { .. });
    // A list that contains itself.
    assert_fault!(pickle(b"]q\0h\0a."), ParseError::TooDeep { .. });
    // Each list twice in the next: 2⁶⁰ ways.
    let doubled: Vec<u8> = (0..60)
        .flat_map(|n| [b']', b'q', n + 1, b'(', b'h', n, b'h', n, b'e'])
        .collect();
    let laughs = [&b"]q\0"[..], &doubled, b"."].concat();
    assert_fault!(pickle(&laughs), ParseError::IndexTooLarge { .. });
}

#[test]
fn pickles_that_are_wrong() {
    for code in [b"i", b"o", b"P", b"F", b"\x82", b"\x97", b"\xff"] {
        assert_fault!(
            pickle(&[code, &b"."[..]].concat()),
            ParseError::PickleCode { .. }
        );
    }
    for wrong in [
        &b"."[..],
        b"0.",
        b"t.",
        b"\x85.",
        b"(\x85.",
        b"R.",
        b"NR.",
        b"a.",
        b"Na.",
        b"NNs.",
        b"e.",
        b"}(Nu.",
        b"}(NNNu.",
        b"q\0.",
        b"\x94.",
        b"NN\x93.",
        b"b.",
        b"(0.",
        b"\x86.",
        b"N\x87.",
    ] {
        assert_fault!(pickle(wrong), ParseError::PickleOperand { .. });
    }
    assert_fault!(pickle(b"h\x07."), ParseError::PickleMemo { index: 7, .. });
    assert_fault!(pickle(b"NQ."), ParseError::Description { .. });
    assert_fault!(pickle(b"X\x01\0\0\0\xff."), ParseError::NotText { .. });
    assert_fault!(
        pickle(&[b"c", &b"m".repeat(5000)[..], b"\n"].concat()),
        ParseError::NameTooLong { .. }
    );
    let read = read_all(b"\x80\x02K\x01.\x80\x02K\x01.", CheckpointFormat::Torch);
    assert_fault!(read, ParseError::NotTorch { .. });
    let read = read_all(b"GIF89a", CheckpointFormat::Torch);
    assert_fault!(read, ParseError::NotTorch { .. });
}

#[test]
fn tensors_that_are_not_as_stored() {
    let read = |last: &[u8]| {
        let bytes = tensor_and(b"K\x02", b"K\0", b"K\x02\x85", b"K\x01\x85", last);
        read_all(&bytes, CheckpointFormat::Torch)
    };
    assert!(read(b"}X\x03\0\0\0neg\x89s").is_ok());
    assert_fault!(
        read(b"}X\x03\0\0\0neg\x88s"),
        ParseError::Description { .. }
    );
}

#[test]
fn classes_with_their_source_are_passed_over() {
    let class = b"(X\x06\0\0\0modulec__main__\nNet\nX\x01\0\0\0fX\x01\0\0\0stQ)\x81.";
    assert_eq!(pickle(class).unwrap(), []);
}

#[test]
fn many_small_tensors_are_no_attack() {
    let one = tensor(b"K\x02", b"K\0", b"K\x01\x85", b"K\x01\x85");
    let begin = one.windows(2).position(|w| w == b"}X").unwrap() + b"}X\x01\0\0\0t".len();
    let end = one.len() - b"s.\x80\x02]X\x01\0\0\0sa.".len() - 16;
    let entries = (0_u32..4000).flat_map(|n| {
        let key = format!("{n:04}");
        [b"X\x04\0\0\0", key.as_bytes(), &one[begin..end], b"s"].concat()
    });
    let bytes: Vec<u8> = one[..begin - b"X\x01\0\0\0t".len()]
        .iter()
        .copied()
        .chain(entries)
        .chain(one[end + 1..].iter().copied())
        .collect();
    let read = read_all(&bytes, CheckpointFormat::Torch).unwrap();
    assert_eq!(read.len(), 4000);
}
