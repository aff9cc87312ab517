//! A data set is in memory once while it is opened. A process of its own, so that it can be measured.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its files has failed"
)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use dsno_data::DatasetSpec;

const IMAGES: usize = 60_000;
const SIDE: usize = 32;

/// Kilobytes of a line of `/proc/self/status`.
fn status(key: &str) -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Most memory that opening takes beyond what there was, in bytes.
fn peak(spec: &DatasetSpec, root: &Path) -> usize {
    // Sets the largest size so far to the present one.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS:");
    let images = spec.open(root).unwrap();
    assert_eq!(images.len(), IMAGES);
    (status("VmHWM:") - before) * 1024
}

#[test]
fn opening_takes_hardly_more_memory_than_the_images() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("im")).unwrap();
    let shape = [IMAGES, SIDE, SIDE].map(|n| (n as u32).to_be_bytes());
    file.write_all(&[0, 0, 8, 3]).unwrap();
    file.write_all(&shape.concat()).unwrap();
    for index in 0..IMAGES {
        file.write_all(&[index as u8; SIDE * SIDE]).unwrap();
    }
    drop(file);
    let toml = r#"
        name = "x"
        source = "x"
        licence = "x"
        obtain = "x"
        flip = false
        channels = 1
        classes = 0
        class_names = []
        files = []
        format = { kind = "idx", images = "im" }
    "#;
    let mut spec: DatasetSpec = toml::from_str(toml).unwrap();
    let bytes = IMAGES * SIDE * SIDE;
    let limit = |bytes: usize| bytes + bytes * 3 / 10;
    let plain = peak(&spec, folder.path());
    assert!(plain < limit(bytes), "{plain} of {bytes}");
    spec.pad_to = Some(36);
    let padded = bytes / (SIDE * SIDE) * 36 * 36;
    let found = peak(&spec, folder.path());
    assert!(found < limit(padded), "{found} of {padded}");
    spec.average_to = Some(18);
    let averaged = padded / 4 * 2;
    let found = peak(&spec, folder.path());
    assert!(found < limit(averaged), "{found} of {averaged}");
}
