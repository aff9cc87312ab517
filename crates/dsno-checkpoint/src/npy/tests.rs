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
        assert_eq!(stream::read(&mut &bytes[..]).unwrap(), Ok(array));
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
    let found = ">f4".to_owned();
    assert_eq!(
        problem(&with_header("<f4", ">f4")),
        ContentError::Type { found }
    );
    assert_eq!(
        problem(&with_header("False", "True")),
        ContentError::FortranOrder
    );
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
