use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/data")
        .join(name)
}

fn bytes_of(array: &Array) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream::write(&mut bytes, array).unwrap();
    bytes
}

fn problem(bytes: &[u8]) -> ContentError {
    stream::read(&mut &bytes[..]).unwrap().unwrap_err()
}

#[test]
fn what_numpy_compressed_is_read() {
    let arrays = read_npz(golden("arrays.npz")).unwrap();
    let mu = Values::F64(vec![0.0, 0.25, 0.5, 0.75, 1.0, 1.25]);
    assert_eq!(
        arrays["mu"],
        Array {
            shape: vec![2, 3],
            values: mu
        }
    );
    assert_eq!(arrays["labels"].values, Values::I64(vec![3, -1]));
    assert_eq!(arrays["bytes"].values, Values::U8(vec![0, 1, 2, 3]));
    assert_eq!(
        arrays["x"],
        Array {
            shape: vec![2, 1],
            values: Values::F32(vec![0.5, -1.5])
        }
    );
}

#[test]
fn every_type_and_rank_survives_a_round_trip() {
    let arrays = [
        Array {
            shape: vec![],
            values: Values::F32(vec![f32::MIN_POSITIVE]),
        },
        Array {
            shape: vec![3],
            values: Values::F64(vec![0.1, f64::MAX, -0.0]),
        },
        Array {
            shape: vec![0, 4],
            values: Values::U8(vec![]),
        },
        Array {
            shape: vec![1, 1, 2],
            values: Values::I64(vec![i64::MIN, 7]),
        },
    ];
    for array in arrays {
        let bytes = bytes_of(&array);
        let read = stream::read(&mut &bytes[..]).unwrap().unwrap();
        assert_eq!(read.array, array);
    }
}

#[test]
fn the_header_is_the_one_numpy_writes() {
    let bytes = bytes_of(&Array {
        shape: vec![2],
        values: Values::F32(vec![0.0; 2]),
    });
    let expected =
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
    assert_eq!(&bytes[..expected.len()], expected);
    assert_eq!(bytes.len(), 128 + 8);
}

#[test]
fn damaged_files_are_one_clear_error() {
    let whole = bytes_of(&Array {
        shape: vec![2],
        values: Values::F32(vec![0.0; 2]),
    });
    assert_eq!(problem(&whole[..3]), ContentError::Magic);
    assert_eq!(problem(&whole[..9]), ContentError::Header);
    assert_eq!(problem(&whole[..40]), ContentError::Header);
    assert_eq!(
        problem(&whole[..130]),
        ContentError::Length {
            found: 2,
            expected: 8
        }
    );
    let longer = [&whole[..], &[0; 5]].concat();
    assert_eq!(
        problem(&longer),
        ContentError::Length {
            found: 9,
            expected: 8
        }
    );
}

/// Exchanges text in a header, which keeps its length.
fn with_header(from: &str, to: &str) -> Vec<u8> {
    let whole = bytes_of(&Array {
        shape: vec![2],
        values: Values::F32(vec![0.0; 2]),
    });
    let header = String::from_utf8(whole[10..128].to_vec()).unwrap();
    let changed = format!("{:<117}\n", header.replace(from, to).trim_end());
    [&whole[..10], changed.as_bytes(), &whole[128..]].concat()
}

#[test]
fn lying_headers_allocate_nothing() {
    let huge = with_header("(2,)", "(9999999999999999, 9999999)");
    assert!(matches!(problem(&huge), ContentError::TooLarge { .. }));
    let large = with_header("(2,)", "(999999999999,)");
    assert_eq!(
        problem(&large),
        ContentError::Length {
            found: 8,
            expected: 3_999_999_999_996
        }
    );
    assert_eq!(problem(&with_header("(2,)", "(-2,)")), ContentError::Header);
    for unknown in ["<c8", "|O", "<U3", "|f4", "<f3", ""] {
        let found = unknown.to_owned();
        assert_eq!(
            problem(&with_header("<f4", unknown)),
            ContentError::Type { found }
        );
    }
    let neither = with_header("False", "Maybe");
    assert_eq!(problem(&neither), ContentError::Header);
}

/// An array file as NumPy writes it, of any type and order.
fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> tempfile::NamedTempFile {
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let start = [&b"\x93NUMPY\x01\0"[..], &length].concat();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), [&start, header.as_bytes(), data].concat()).unwrap();
    file
}

#[test]
fn whole_numbers_of_every_type_are_labels() {
    let cases: [(&str, &[u8]); 14] = [
        ("|b1", &[0, 1]),
        ("|u1", &[0, 1]),
        ("|i1", &[0, 1]),
        ("<u1", &[0, 1]),
        ("<u2", &[0, 0, 1, 0]),
        ("<i2", &[0, 0, 1, 0]),
        (">i2", &[0, 0, 0, 1]),
        ("<u4", &[0, 0, 0, 0, 1, 0, 0, 0]),
        (">u4", &[0, 0, 0, 0, 0, 0, 0, 1]),
        ("<i4", &[0, 0, 0, 0, 1, 0, 0, 0]),
        (">i4", &[0, 0, 0, 0, 0, 0, 0, 1]),
        ("<u8", &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        ("<i8", &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        (">i8", &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    for (descr, data) in cases {
        let file = npy(descr, "False", "(2L,)", data);
        assert_eq!(
            read_i64(file.path()).unwrap(),
            (vec![2], vec![0, 1]),
            "{descr}"
        );
        let message = read_f32(file.path()).unwrap_err().to_string();
        let expected =
            format!("its elements are {descr}, expected <f4; convert it with .astype('<f4')");
        assert!(message.contains(&expected), "{message}");
    }
    let negative = npy("<i2", "False", "(1,)", &(-7_i16).to_le_bytes());
    assert_eq!(read_i64(negative.path()).unwrap().1, [-7]);
    let large = npy("<u8", "False", "(1,)", &u64::MAX.to_le_bytes());
    let message = read_i64(large.path()).unwrap_err().to_string();
    assert!(message.contains("18446744073709551615"), "{message}");
    let reals = npy("<f4", "False", "(1,)", &1_f32.to_le_bytes());
    let message = read_i64(reals.path()).unwrap_err().to_string();
    assert!(message.contains("<f4, expected <i8"), "{message}");
}

#[test]
fn reals_of_every_type_are_exact_or_refused() {
    let half = [0x00, 0x38, 0x00, 0xc1]; // 0.5, −2.5
    let cases: [(&str, Vec<u8>); 4] = [
        ("<f2", half.to_vec()),
        (">f2", vec![0x38, 0x00, 0xc1, 0x00]),
        ("<f4", [0.5_f32, -2.5].map(f32::to_le_bytes).concat()),
        (">f4", [0.5_f32, -2.5].map(f32::to_be_bytes).concat()),
    ];
    for (descr, data) in cases {
        let file = npy(descr, "False", "(2,)", &data);
        assert_eq!(read_f32(file.path()).unwrap().1, [0.5, -2.5], "{descr}");
        assert_eq!(read_f64(file.path()).unwrap().1, [0.5, -2.5], "{descr}");
    }
    for (descr, bytes) in [
        ("<f8", 0.1_f64.to_le_bytes()),
        (">f8", 0.1_f64.to_be_bytes()),
    ] {
        let file = npy(descr, "False", "(1,)", &bytes);
        assert_eq!(read_f64(file.path()).unwrap().1, [0.1]);
        let message = read_f32(file.path()).unwrap_err().to_string();
        assert!(
            message.contains(&format!("{descr}, expected <f4")),
            "{message}"
        );
    }
    let whole = npy("<i8", "False", "(1,)", &(-3_i64).to_le_bytes());
    assert_eq!(read_f64(whole.path()).unwrap().1, [-3.0]);
    let large = npy("<i8", "False", "(1,)", &((1_i64 << 53) + 1).to_le_bytes());
    assert!(read_f64(large.path()).is_err());
}

#[test]
fn fortran_order_is_the_same_array() {
    // numpy.asfortranarray(numpy.arange(12).reshape(2, 1, 3, 2))
    let data = [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11];
    let file = npy("|u1", "True", "(2, 1, 3, 2)", &data);
    let (shape, values) = read_i64(file.path()).unwrap();
    assert_eq!(shape, [2, 1, 3, 2]);
    assert_eq!(values, (0..12).collect::<Vec<i64>>());
    for (shape, data) in [("(3,)", &[1_u8, 2, 3][..]), ("()", &[7]), ("(0, 4)", &[])] {
        let file = npy("|u1", "True", shape, data);
        assert_eq!(read(file.path()).unwrap().values, Values::U8(data.to_vec()));
    }
}

#[test]
fn other_files_are_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (start, word) in [
        ("version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        ("<!DOCTYPE html>", "web site"),
        ("PK\x03\x04 arrays", "zip"),
    ] {
        std::fs::write(file.path(), start).unwrap();
        let message = read_f32(file.path()).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn a_wrong_type_or_shape_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    assert!(matches!(
        write_f32(&path, &[3], &[0.0]),
        Err(NpyError::Shape { found: 1, .. })
    ));
    assert!(!path.exists());
    write(
        &path,
        &Array {
            shape: vec![1],
            values: Values::I64(vec![4]),
        },
    )
    .unwrap();
    assert_eq!(read_i64(&path).unwrap(), (vec![1], vec![4]));
    let message = read_f32(&path).unwrap_err().to_string();
    assert!(message.contains("<i8, expected <f4"), "{message}");
    std::fs::write(&path, b"PK\x03\x04 no archive").unwrap();
    assert!(matches!(read_npz(&path), Err(NpyError::Archive { .. })));
}

#[test]
fn equal_archives_are_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let array = Array {
        shape: vec![1],
        values: Values::U8(vec![1]),
    };
    let write = |name: &str| {
        let path = folder.path().join(name);
        write_npz(&path, &[("a", &array), ("b", &array)]).unwrap();
        std::fs::read(path).unwrap()
    };
    assert_eq!(write("one.npz"), write("two.npz"));
}
