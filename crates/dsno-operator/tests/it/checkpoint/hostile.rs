//! Files made to do harm: each ends in the error that names what is wrong.

use std::io::Write;

use dsno_operator::checkpoint::{CheckpointError, CheckpointFormat, Fault};
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::{Tensors, read_all};

/// An error that says what is wrong with the file or a tensor of it.
#[track_caller]
fn fault(read: Result<Tensors, CheckpointError>) -> Fault {
    match read {
        Err(CheckpointError::Format { source, .. } | CheckpointError::Tensor { source, .. }) => {
            source
        }
        other => panic!("{other:?}"),
    }
}

macro_rules! assert_fault {
    ($read:expr, $pattern:pat) => {
        let fault = fault($read);
        assert!(matches!(fault, $pattern), "{fault}");
    };
}

fn safetensors(header: &str, data: &[u8]) -> Result<Tensors, CheckpointError> {
    let length = header.len() as u64;
    let bytes = [&length.to_le_bytes(), header.as_bytes(), data].concat();
    read_all(&bytes, CheckpointFormat::Safetensors)
}

#[test]
fn safetensors_headers_that_lie() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        let header =
            format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#);
        safetensors(&header, &[0; 8])
    };
    assert!(one("F32", "[2]", "[0,8]").is_ok());
    assert_fault!(
        one("F32", "[3]", "[0,8]"),
        Fault::WrongSize {
            found: 8,
            expected: 12,
            ..
        }
    );
    assert_fault!(one("F32", "[1]", "[0,4]"), Fault::Trailing { found: 4, .. });
    assert_fault!(
        one("F32", "[1]", "[4,8]"),
        Fault::Misplaced {
            found: 4,
            expected: 0,
            ..
        }
    );
    assert_fault!(
        one("F32", "[3]", "[0,12]"),
        Fault::Outside {
            end: 12,
            length: 8,
            ..
        }
    );
    assert_fault!(
        one("F32", "[0]", "[0,18446744073709551615]"),
        Fault::Outside { .. }
    );
    assert_fault!(
        one("F32", "[1152921504606846976]", "[0,8]"),
        Fault::WrongSize { .. }
    );
    let huge = "[1152921504606846976,1152921504606846976]";
    assert_fault!(
        one("F32", huge, "[0,8]"),
        Fault::WrongSize {
            expected: u64::MAX,
            ..
        }
    );
    assert_fault!(one("F33", "[2]", "[0,8]"), Fault::UnknownElement { .. });
    assert_fault!(one("F32", "[-2]", "[0,8]"), Fault::Header(_));
    assert_fault!(one("F32", "[2.5]", "[0,8]"), Fault::Header(_));
    let axes = format!("[2{}]", ",1".repeat(1000));
    assert_fault!(one("F32", &axes, "[0,8]"), Fault::Header(_));
}

#[test]
fn safetensors_that_are_not_one() {
    let a = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let b = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#;
    assert_fault!(
        safetensors(&format!("{{{a},{b}}}"), &[0; 8]),
        Fault::Duplicate { .. }
    );
    let overlap = r#""b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}"#;
    let both = safetensors(&format!("{{{a},{overlap}}}"), &[0; 6]);
    assert_fault!(
        both,
        Fault::Misplaced {
            found: 2,
            expected: 4,
            ..
        }
    );
    let deep = format!(r#"{{"__metadata__":{}"#, "[".repeat(1_000_000));
    assert_fault!(safetensors(&deep, &[]), Fault::Header(_));
    assert_fault!(safetensors("{} {}", &[]), Fault::Header(_));
    assert_fault!(safetensors("[]", &[]), Fault::Header(_));
    let name = "n".repeat(10_000);
    assert_fault!(
        safetensors(
            &format!("{{{}}}", a.replace("\"a\"", &format!("{name:?}"))),
            &[0; 4]
        ),
        Fault::NameTooLong { .. }
    );
    for claimed in [3, 1 << 40, u64::MAX] {
        let bytes = [&u64::to_le_bytes(claimed)[..], b"{}"].concat();
        let read = read_all(&bytes, CheckpointFormat::Safetensors);
        assert_fault!(read, Fault::HeaderTooLong { allowed: 2, .. });
    }
}

#[test]
fn safetensors_of_more_tensors_than_bytes_pay_for() {
    let entry = |place| {
        format!(r#""{place}":{{"dtype":"F32","shape":[],"data_offsets":[{place},{place}]}}"#)
    };
    let entries: Vec<String> = (0..100_000).map(entry).collect();
    let read = safetensors(&format!("{{{}}}", entries.join(",")), &[]);
    assert_fault!(read, Fault::IndexTooLarge { .. });
}

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
    let value = [
        &b"\x80\x02}X\x01\0\0\0tctorch._utils\n_rebuild_tensor_v2\n(("[..],
        b"X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0sX\x03\0\0\0cpu",
        elements,
        b"tQ",
        first,
        shape,
        strides,
        b"\x89}tRs.",
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
    assert_fault!(expected, Fault::StorageSize { found: 8, .. });
    assert_fault!(
        read(b"K\x02", b"K\0", &huge_axis, b"K\x01\x85"),
        Fault::Outside { .. }
    );
    assert_fault!(
        read(b"K\x02", b"K\0", &huge_axis, b"K\0\x85"),
        Fault::TooLarge { .. }
    );
    let three = [&huge[..], huge, huge, b"\x87"].concat();
    assert_fault!(
        read(b"K\x02", b"K\0", &three, b"K\0K\0K\0\x87"),
        Fault::TooLarge { .. }
    );
    let far = [&most[..], b"\x85"].concat();
    assert_fault!(
        read(b"K\x02", b"K\0", b"K\x03\x85", &far),
        Fault::Outside { .. }
    );
    assert!(read(b"K\x02", b"K\0", b"K\x01\x85", &far).is_ok());
    assert_fault!(
        read(b"K\x02", most, b"K\x01\x85", b"K\x01\x85"),
        Fault::Outside { .. }
    );
    let negative = [&below[..], b"\x85"].concat();
    assert_fault!(
        read(b"K\x02", below, b"K\x01\x85", b"K\x01\x85"),
        Fault::Description { .. }
    );
    assert_fault!(
        read(b"K\x02", b"K\0", b"K\x02\x85", &negative),
        Fault::Description { .. }
    );
    assert_fault!(
        read(b"K\x02", b"K\0", &negative, b"K\x01\x85"),
        Fault::Description { .. }
    );
    assert_fault!(
        read(below, b"K\0", b"K\x02\x85", b"K\x01\x85"),
        Fault::Description { .. }
    );
    assert_fault!(
        read(b"K\x02", b"K\0", b"K\x02\x85", b")"),
        Fault::Description { .. }
    );
    let axes = [&b"("[..], &b"K\x01".repeat(1000), b"t"].concat();
    assert_fault!(
        read(b"K\x02", b"K\0", &axes, &axes),
        Fault::Description { .. }
    );
}

#[test]
fn pickles_that_grow() {
    // Texts and lists that are never there.
    let text = [&b"\x8d"[..], &(1_u64 << 60).to_le_bytes(), b"."].concat();
    assert_fault!(pickle(&text), Fault::IndexTooLarge { .. });
    assert_fault!(pickle(b"X\xff\xff\xff\xff"), Fault::IndexTooLarge { .. });
    let bytes = [&b"\x8e"[..], &u64::MAX.to_le_bytes(), b"."].concat();
    assert_fault!(pickle(&bytes), Fault::Truncated { .. });
    assert_fault!(pickle(b"\x8b\xff\xff\xff\xff"), Fault::Truncated { .. });
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
        Fault::TooDeep { .. }
    );
    assert_fault!(deep(b"", &b"\x85".repeat(1_000)), Fault::TooDeep { .. });
    let most = 1_000_000;
    assert_fault!(
        deep(&b"]".repeat(most), &b"a".repeat(most)),
        Fault::IndexTooLarge { .. }
    );
    assert_fault!(pickle(&b"(".repeat(most)), Fault::IndexTooLarge { .. });
    assert_fault!(pickle(&b"N".repeat(most)), Fault::IndexTooLarge { .. });
    // A list that contains itself.
    assert_fault!(pickle(b"]q\0h\0a."), Fault::TooDeep { .. });
    // Each list twice in the next: 2⁶⁰ ways.
    let doubled: Vec<u8> = (0..60)
        .flat_map(|n| [b']', b'q', n + 1, b'(', b'h', n, b'h', n, b'e'])
        .collect();
    let laughs = [&b"]q\0"[..], &doubled, b"."].concat();
    assert_fault!(pickle(&laughs), Fault::IndexTooLarge { .. });
}

#[test]
fn pickles_that_are_wrong() {
    for code in [b"i", b"o", b"P", b"F", b"\x82", b"\x97", b"\xff"] {
        assert_fault!(
            pickle(&[code, &b"."[..]].concat()),
            Fault::PickleCode { .. }
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
        assert_fault!(pickle(wrong), Fault::PickleOperand { .. });
    }
    assert_fault!(pickle(b"h\x07."), Fault::PickleMemo { index: 7, .. });
    assert_fault!(pickle(b"NQ."), Fault::Description { .. });
    assert_fault!(pickle(b"X\x01\0\0\0\xff."), Fault::NotText { .. });
    assert_fault!(
        pickle(&[b"c", &b"m".repeat(5000)[..], b"\n"].concat()),
        Fault::NameTooLong { .. }
    );
    let read = read_all(b"\x80\x02K\x01.\x80\x02K\x01.", CheckpointFormat::Torch);
    assert_fault!(read, Fault::NotTorch { .. });
    let read = read_all(b"GIF89a", CheckpointFormat::Torch);
    assert_fault!(read, Fault::NotTorch { .. });
}

/// An archive of entries (name, method, bytes, length when inflated), as if of one folder.
fn archive(entries: &[(&str, u16, &[u8], u32)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, method, data, length) in entries {
        let header = bytes.len() as u32;
        // Version, flags, method, time and date, checksum (none), sizes, lengths of name and extra.
        let common = [
            &[20, 0, 0, 0][..],
            &method.to_le_bytes(),
            &[0; 8],
            &(data.len() as u32).to_le_bytes(),
            &length.to_le_bytes(),
            &(name.len() as u16).to_le_bytes(),
            &[0; 2],
        ]
        .concat();
        bytes.extend([b"PK\x03\x04", &common[..], name.as_bytes(), data].concat());
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10]].concat());
        directory.extend([&header.to_le_bytes(), name.as_bytes()].concat());
    }
    let (count, begin) = (entries.len() as u16, bytes.len() as u32);
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend([(directory.len() as u32).to_le_bytes(), begin.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    bytes
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn torch(archive: &[u8]) -> Result<Tensors, CheckpointError> {
    read_all(archive, CheckpointFormat::Torch)
}

#[test]
fn archives_that_expand() {
    let nothing = b"\x80\x02}.";
    assert!(torch(&archive(&[("a/data.pkl", 0, nothing, 4)])).is_ok());
    let packed = deflate(nothing);
    assert!(torch(&archive(&[("data.pkl", 8, &packed, 4)])).is_ok());
    // 20 MB of instructions in 20 kB, with the true length and a smaller one.
    let length = 20_000_000;
    let bomb = deflate(&b"N".repeat(length));
    let read = torch(&archive(&[("a/data.pkl", 8, &bomb, length as u32)]));
    assert_fault!(
        read,
        Fault::TooLarge {
            bytes: 20_000_000,
            ..
        }
    );
    let read = torch(&archive(&[("a/data.pkl", 8, &bomb, 1_000_000)]));
    assert_fault!(read, Fault::IndexTooLarge { .. });
    // Fewer bytes than claimed, and bytes that are no deflated ones.
    let read = torch(&archive(&[("a/data.pkl", 8, &packed, 1_000_000)]));
    assert_fault!(read, Fault::Truncated { .. });
    assert_fault!(
        torch(&archive(&[("a/data.pkl", 8, &[0xff; 8], 4)])),
        Fault::Inflate { .. }
    );
}

#[test]
fn archives_that_lie() {
    let nothing = b"\x80\x02}.";
    let good = archive(&[("a/data.pkl", 0, nothing, 4)]);
    let change = |from_end: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        let at = changed.len() - from_end;
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        torch(&changed)
    };
    // More entries, another place of the directory.
    assert_fault!(change(12, &[9, 0]), Fault::Truncated { .. });
    assert_fault!(
        change(6, &[1]),
        Fault::Zip {
            expected: "directory entry",
            ..
        }
    );
    assert_fault!(change(6, &[0, 0, 0, 0x7f]), Fault::Truncated { .. });
    assert_fault!(
        change(18, &[1]),
        Fault::Zip {
            expected: "end of one disk",
            ..
        }
    );
    let name = "data/a".repeat(1000);
    assert_fault!(
        torch(&archive(&[(&name, 0, nothing, 4)])),
        Fault::NameTooLong { .. }
    );
    assert_fault!(
        torch(&archive(&[("b", 0, nothing, 4)])),
        Fault::NoEntry { .. }
    );
    let twice = ("data.pkl", 0, &nothing[..], 4);
    assert_fault!(torch(&archive(&[twice, twice])), Fault::Zip { .. });
    let read = torch(&archive(&[("data.pkl", 0, nothing, 5)]));
    assert_fault!(
        read,
        Fault::Zip {
            expected: "stored entry of one length",
            ..
        }
    );
    let read = torch(&archive(&[("data.pkl", 99, nothing, 4)]));
    assert_fault!(read, Fault::ZipMethod { method: 99, .. });
    let order = ("byteorder", 0, &b"big"[..], 3);
    let read = torch(&archive(&[("data.pkl", 0, nothing, 4), order]));
    assert_fault!(read, Fault::BigEndian);
    // A 64-bit end that claims 2⁶⁰ entries.
    let at = good.len() as u64;
    let end = [
        b"PK\x06\x06",
        &[0; 28][..],
        &(1_u64 << 60).to_le_bytes(),
        &[0; 16],
    ]
    .concat();
    let locator = [b"PK\x06\x07", &[0; 4][..], &at.to_le_bytes(), &[1, 0, 0, 0]].concat();
    let mut tail = good[good.len() - 22..].to_vec();
    tail[8..20].fill(0xff);
    let read = torch(&[&good[..], &end, &locator, &tail].concat());
    assert_fault!(
        read,
        Fault::Zip {
            expected: "directory entry",
            ..
        }
    );
}

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
        Fault::WrongSize { expected: 12, .. }
    );
    let huge = b"\x92\xcf\x10\0\0\0\0\0\0\0\xcf\x10\0\0\0\0\0\0\0";
    assert_fault!(
        array(huge, f32, eight),
        Fault::WrongSize {
            expected: u64::MAX,
            ..
        }
    );
    assert_fault!(array(b"\x91\xff", f32, eight), Fault::MessagePack { .. });
    assert_fault!(
        array(b"\xdd\xff\xff\xff\xff", f32, eight),
        Fault::TooManyAxes { .. }
    );
    assert_fault!(
        array(b"\x91\x02", b"\xa7float33", eight),
        Fault::UnknownElement { .. }
    );
    let more = b"\xc6\xff\xff\xff\xff\0\0\0\0";
    assert_fault!(array(b"\x91\x02", f32, more), Fault::Truncated { .. });
    assert_fault!(
        array(b"\x91\x02", b"\xdb\xff\xff\xff\xff", eight),
        Fault::NameTooLong { .. }
    );
}

#[test]
fn messagepack_that_grows() {
    for many in [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ] {
        assert_fault!(flax(many), Fault::Truncated { .. });
    }
    assert_fault!(flax(&b"\x91".repeat(1_000_000)), Fault::TooDeep { .. });
    assert_fault!(flax(&b"\x81\xa1a".repeat(1_000_000)), Fault::TooDeep { .. });
    assert_fault!(flax(b"\xc1"), Fault::MessagePack { .. });
    assert_fault!(flax(b"\x81\x01\x02"), Fault::MessagePack { .. });
    assert_fault!(flax(b"\xc0\xc0"), Fault::Trailing { found: 1, .. });
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
    assert_fault!(flax(&bytes), Fault::IndexTooLarge { .. });
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
        Fault::WrongSize { found: 8, .. }
    );
    assert_fault!(array(b"\x81\xa10\x02", b"\x80"), Fault::MessagePack { .. });
    let swapped = [&b"\x82\xa11"[..], piece, b"\xa10", piece].concat();
    assert_fault!(
        array(b"\x81\xa10\x02", &swapped),
        Fault::Piece { expected: 0, .. }
    );
    assert_fault!(
        array(b"\xdf\xff\xff\xff\xff", &two),
        Fault::Piece { expected: 0, .. }
    );
}
