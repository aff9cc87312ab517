use dsno_checkpoint::{CheckpointError, CheckpointFormat, ParseError};

use super::fault;
use crate::{Tensors, read_all};

fn flax(bytes: &[u8]) -> Result<Tensors, CheckpointError> {
    read_all(bytes, CheckpointFormat::Flax)
}

#[test]
fn messagepack_that_lies() {
    let array = |shape: &[u8], dtype: &[u8], bytes: &[u8]| {
        let payload = [b"\x93", shape, dtype, bytes].concat();
        let length = payload.len() as u8;
        flax(&[&b"\x81\xa1a\xc7"[..], &[length, 1], &payload].concat())
    };
    let f32 = b"\xa7float32";
    assert!(array(b"\x91\x02", f32, b"\xc4\x08\0\0\0\0\0\0\0\0").is_ok());
    let eight = b"\xc4\x08\0\0\0\0\0\0\0\0";
    assert_fault!(
        array(b"\x91\x03", f32, eight),
        ParseError::WrongSize { expected: 12, .. }
    );
    let huge = b"\x92\xcf\x10\0\0\0\0\0\0\0\xcf\x10\0\0\0\0\0\0\0";
    assert_fault!(
        array(huge, f32, eight),
        ParseError::WrongSize {
            expected: u64::MAX,
            ..
        }
    );
    assert_fault!(
        array(b"\x91\xff", f32, eight),
        ParseError::MessagePack { .. }
    );
    assert_fault!(
        array(b"\xdd\xff\xff\xff\xff", f32, eight),
        ParseError::TooManyAxes { .. }
    );
    assert_fault!(
        array(b"\x91\x02", b"\xa7float33", eight),
        ParseError::UnknownElement { .. }
    );
    let more = b"\xc6\xff\xff\xff\xff\0\0\0\0";
    assert_fault!(array(b"\x91\x02", f32, more), ParseError::Truncated { .. });
    assert_fault!(
        array(b"\x91\x02", b"\xdb\xff\xff\xff\xff", eight),
        ParseError::NameTooLong { .. }
    );
}

#[test]
fn messagepack_that_grows() {
    for many in [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ] {
        assert_fault!(flax(many), ParseError::Truncated { .. });
    }
    assert_fault!(flax(&b"\x91".repeat(1_000_000)), ParseError::TooDeep { .. });
    assert_fault!(
        flax(&b"\x81\xa1a".repeat(1_000_000)),
        ParseError::TooDeep { .. }
    );
    assert_fault!(flax(b"\xc1"), ParseError::MessagePack { .. });
    assert_fault!(flax(b"\x81\x01\x02"), ParseError::MessagePack { .. });
    assert_fault!(flax(b"\xc0\xc0"), ParseError::Trailing { found: 1, .. });
    // Many arrays below a long name.
    let leaf = b"\xc7\x0d\x01\x93\x91\0\xa7float32\xc4\0";
    let (name, leaves) = ("n".repeat(4000), leaf.repeat(60_000));
    let length = 60_000_u16.to_be_bytes();
    let bytes = [
        &b"\x81\xda\x0f\xa0"[..],
        name.as_bytes(),
        b"\xdc",
        &length,
        &leaves,
    ]
    .concat();
    assert_fault!(flax(&bytes), ParseError::IndexTooLarge { .. });
}

#[test]
fn arrays_in_pieces_that_do_not_fit() {
    let piece = b"\xc7\x11\x01\x93\x91\x01\xa7float32\xc4\x04\0\0\0\0";
    let array = |shape: &[u8], chunks: &[u8]| {
        let head = b"\x81\xa1a\x83\xb9__msgpack_chunked_array__\xc3";
        flax(&[&head[..], b"\xa5shape", shape, b"\xa6chunks", chunks].concat())
    };
    let two = [&b"\x82\xa10"[..], piece, b"\xa11", piece].concat();
    assert!(array(b"\x81\xa10\x02", &two).is_ok());
    assert_fault!(
        array(b"\x81\xa10\x03", &two),
        ParseError::WrongSize { found: 8, .. }
    );
    assert_fault!(
        array(b"\x81\xa10\x02", b"\x80"),
        ParseError::MessagePack { .. }
    );
    let swapped = [&b"\x82\xa11"[..], piece, b"\xa10", piece].concat();
    assert_fault!(
        array(b"\x81\xa10\x02", &swapped),
        ParseError::Piece { expected: 0, .. }
    );
    assert_fault!(
        array(b"\xdf\xff\xff\xff\xff", &two),
        ParseError::Piece { expected: 0, .. }
    );
}
