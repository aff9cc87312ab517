use dsno_checkpoint::{CheckpointError, CheckpointFormat, ParseError};

use super::fault;
use crate::{Tensors, read_all};

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
        ParseError::WrongSize {
            found: 8,
            expected: 12,
            ..
        }
    );
    assert_fault!(
        one("F32", "[1]", "[0,4]"),
        ParseError::Trailing { found: 4, .. }
    );
    assert_fault!(
        one("F32", "[1]", "[4,8]"),
        ParseError::Misplaced {
            found: 4,
            expected: 0,
            ..
        }
    );
    assert_fault!(
        one("F32", "[3]", "[0,12]"),
        ParseError::Outside {
            end: 12,
            length: 8,
            ..
        }
    );
    assert_fault!(
        one("F32", "[0]", "[0,18446744073709551615]"),
        ParseError::Outside { .. }
    );
    assert_fault!(
        one("F32", "[1152921504606846976]", "[0,8]"),
        ParseError::WrongSize { .. }
    );
    let huge = "[1152921504606846976,1152921504606846976]";
    assert_fault!(
        one("F32", huge, "[0,8]"),
        ParseError::WrongSize {
            expected: u64::MAX,
            ..
        }
    );
    assert_fault!(
        one("F33", "[2]", "[0,8]"),
        ParseError::UnknownElement { .. }
    );
    assert_fault!(one("F32", "[-2]", "[0,8]"), ParseError::Header(_));
    assert_fault!(one("F32", "[2.5]", "[0,8]"), ParseError::Header(_));
    let axes = format!("[2{}]", ",1".repeat(1000));
    assert_fault!(one("F32", &axes, "[0,8]"), ParseError::Header(_));
}

#[test]
fn safetensors_that_are_not_one() {
    let a = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let b = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#;
    assert_fault!(
        safetensors(&format!("{{{a},{b}}}"), &[0; 8]),
        ParseError::Duplicate { .. }
    );
    let overlap = r#""b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}"#;
    let both = safetensors(&format!("{{{a},{overlap}}}"), &[0; 6]);
    assert_fault!(
        both,
        ParseError::Misplaced {
            found: 2,
            expected: 4,
            ..
        }
    );
    let deep = format!(r#"{{"__metadata__":{}"#, "[".repeat(1_000_000));
    assert_fault!(safetensors(&deep, &[]), ParseError::Header(_));
    assert_fault!(safetensors("{} {}", &[]), ParseError::Header(_));
    assert_fault!(safetensors("[]", &[]), ParseError::Header(_));
    let name = "n".repeat(10_000);
    assert_fault!(
        safetensors(
            &format!("{{{}}}", a.replace("\"a\"", &format!("{name:?}"))),
            &[0; 4]
        ),
        ParseError::NameTooLong { .. }
    );
    for claimed in [3, 1 << 40, u64::MAX] {
        let bytes = [&u64::to_le_bytes(claimed)[..], b"{}"].concat();
        let read = read_all(&bytes, CheckpointFormat::Safetensors);
        assert_fault!(read, ParseError::HeaderTooLong { allowed: 2, .. });
    }
}

#[test]
fn safetensors_of_more_tensors_than_bytes_pay_for() {
    let entry = |place| {
        format!(r#""{place}":{{"dtype":"F32","shape":[],"data_offsets":[{place},{place}]}}"#)
    };
    let entries: Vec<String> = (0..100_000).map(entry).collect();
    let read = safetensors(&format!("{{{}}}", entries.join(",")), &[]);
    assert_fault!(read, ParseError::IndexTooLarge { .. });
}

#[test]
fn errors_quote_little_of_the_file() {
    let long = "F".repeat(1_000_000);
    let entry = r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,0]}}"#;
    for text in ["F32", "shape"] {
        let error = safetensors(&entry.replace(text, &long), &[]).unwrap_err();
        let error = error.to_string();
        assert!(error.len() < 400 && error.contains("FFFF"), "{error:.400}");
    }
}
