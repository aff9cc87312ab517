use std::io::Write;

use dsno_checkpoint::{CheckpointError, CheckpointFormat, ParseError};
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::fault;
use crate::{Tensors, read_all};

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
        ParseError::TooLarge {
            bytes: 20_000_000,
            ..
        }
    );
    let read = torch(&archive(&[("a/data.pkl", 8, &bomb, 1_000_000)]));
    assert_fault!(read, ParseError::IndexTooLarge { .. });
    // Fewer bytes than claimed, and bytes that are no deflated ones.
    let read = torch(&archive(&[("a/data.pkl", 8, &packed, 1_000_000)]));
    assert_fault!(read, ParseError::Truncated { .. });
    assert_fault!(
        torch(&archive(&[("a/data.pkl", 8, &[0xff; 8], 4)])),
        ParseError::Inflate { .. }
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
    assert_fault!(change(12, &[9, 0]), ParseError::Truncated { .. });
    assert_fault!(
        change(6, &[1]),
        ParseError::Zip {
            expected: "directory entry",
            ..
        }
    );
    assert_fault!(change(6, &[0, 0, 0, 0x7f]), ParseError::Truncated { .. });
    assert_fault!(
        change(18, &[1]),
        ParseError::Zip {
            expected: "end of one disk",
            ..
        }
    );
    let name = "data/a".repeat(1000);
    assert_fault!(
        torch(&archive(&[(&name, 0, nothing, 4)])),
        ParseError::NameTooLong { .. }
    );
    assert_fault!(
        torch(&archive(&[("b", 0, nothing, 4)])),
        ParseError::NoEntry { .. }
    );
    let twice = ("data.pkl", 0, &nothing[..], 4);
    assert_fault!(torch(&archive(&[twice, twice])), ParseError::Zip { .. });
    let read = torch(&archive(&[("data.pkl", 0, nothing, 5)]));
    assert_fault!(
        read,
        ParseError::Zip {
            expected: "stored entry of one length",
            ..
        }
    );
    let read = torch(&archive(&[("data.pkl", 99, nothing, 4)]));
    assert_fault!(read, ParseError::ZipMethod { method: 99, .. });
    let order = ("byteorder", 0, &b"big"[..], 3);
    let read = torch(&archive(&[("data.pkl", 0, nothing, 4), order]));
    assert_fault!(read, ParseError::BigEndian);
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
        ParseError::Zip {
            expected: "directory entry",
            ..
        }
    );
}
