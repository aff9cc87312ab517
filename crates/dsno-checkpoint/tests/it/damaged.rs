//! Real files, cut off or changed: an error or the truth, never a panic.

use std::fs;

use dsno_checkpoint::CheckpointFormat;

use super::{read_all, tests};

/// The seeds of the fuzzer and whatever it found: (name, bytes, format).
fn corpus() -> Vec<(String, Vec<u8>, CheckpointFormat)> {
    let folders = [
        ("safetensors", CheckpointFormat::Safetensors),
        ("torch", CheckpointFormat::Torch),
        ("flax", CheckpointFormat::Flax),
    ];
    let files = folders.into_iter().flat_map(|(folder, format)| {
        let folder = tests().join("fuzz/corpus").join(folder);
        let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
        files.map(move |file| {
            let name = file.file_name().to_string_lossy().into_owned();
            (name, fs::read(file.path()).unwrap(), format)
        })
    });
    files.collect()
}

#[test]
fn no_file_can_be_cut_off_unnoticed() {
    for (name, bytes, format) in corpus() {
        assert!(read_all(&bytes, format).is_ok(), "{name}");
        for length in 0..bytes.len() {
            let cut = read_all(&bytes[..length], format);
            assert!(cut.is_err(), "{name} cut off at {length}: {cut:?}");
        }
    }
}

#[test]
fn no_flipped_bit_does_harm() {
    for (name, bytes, format) in corpus() {
        let whole = read_all(&bytes, format).unwrap();
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 8);
            let read = read_all(&flipped, format);
            // Only this one has checksums; its parts are all read whole.
            if let (Ok(read), "tiny-checked.pt") = (read, name.as_str()) {
                assert_eq!(read, whole, "bit of byte {place}");
            }
        }
    }
}

#[test]
fn nothing_may_follow_the_end() {
    for (name, mut bytes, format) in corpus() {
        bytes.push(0);
        assert!(read_all(&bytes, format).is_err(), "{name}");
    }
}
