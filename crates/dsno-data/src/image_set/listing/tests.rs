use super::*;

/// A folder with these files, pictures where the name says so.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"\x89PNG\r\n").unwrap();
    }
    folder
}

fn list(files: &[&str]) -> Result<Listing, DataError> {
    Listing::of(folder(files).path())
}

#[test]
fn numbers_sort_as_numbers_and_names_as_names() {
    let classes = |names: &[&str]| {
        let files: Vec<String> = names.iter().map(|name| format!("{name}/x.png")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        list(&files).unwrap().classes
    };
    assert_eq!(classes(&["10", "9", "0", "11"]), ["0", "9", "10", "11"]);
    assert_eq!(classes(&["010", "9", "1"]), ["1", "9", "010"]);
    assert_eq!(classes(&["10", "9", "a"]), ["10", "9", "a"]);
    assert_eq!(classes(&["+1", "0"]), ["+1", "0"]);
}

#[test]
fn files_that_are_no_images_are_not_looked_at() {
    let plain = list(&["1.png", "2.JPG", "3.jfif"]).unwrap();
    assert_eq!((plain.files.len(), plain.classes.len()), (3, 0));
    let more = list(&[
        "1.png",
        "2.JPG",
        "3.jfif",
        ".DS_Store",
        "._1.png",
        "Thumbs.db",
        "desktop.ini",
        "@eaDir/1.png",
        "__MACOSX/1.png",
        "notes/readme.txt",
        "labels.csv",
        ".hidden/1.png",
    ])
    .unwrap();
    assert_eq!((more.files.len(), more.classes.len()), (3, 0));
    assert!(more.unread.is_empty());
    let classes = list(&[
        "cat/1.png",
        "dog/1.png",
        "@eaDir/cat/1.png",
        "__MACOSX/cat/._1.png",
    ]);
    assert_eq!(classes.unwrap().classes, ["cat", "dog"]);
}

#[test]
fn pictures_in_other_formats_are_counted() {
    let folder = folder(&["1.png", "really-png.gif", "plain"]);
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("2.tiff", b"II*\0");
    write("3.tiff", b"II*\0");
    write("4.gif", b"GIF89a");
    write("5", b"GIF89a");
    write("README", b"hello");
    let listing = Listing::of(folder.path()).unwrap();
    assert_eq!(listing.files.len(), 3);
    assert_eq!(
        unread(&listing.unread),
        "1 gif, 2 tiff, 1 without an ending"
    );
    for name in ["1.png", "really-png.gif", "plain"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let error = Listing::of(folder.path()).unwrap_err();
    assert!(error.to_string().contains("2 tiff"), "{error}");
}

#[test]
fn folders_that_mix_or_nest_are_errors() {
    let error = |files: &[&str]| list(files).unwrap_err();
    let mixed = error(&["1.png", "2.png", "sub/3.png"]);
    assert!(
        matches!(mixed, DataError::Mixed { pictures: 2, .. }),
        "{mixed}"
    );
    let deep = error(&["1.png", "sub/sub/3.png"]);
    assert!(matches!(deep, DataError::Mixed { .. }), "{deep}");
    let mixed = error(&["a/1.png", "b/1.png", "b/more/2.png"]);
    assert!(matches!(mixed, DataError::Mixed { .. }), "{mixed}");
    let nested = error(&["a/1.png", "b/images/1.png"]);
    assert!(
        matches!(
            nested,
            DataError::EmptyClass {
                nested: Some(_),
                ..
            }
        ),
        "{nested}"
    );
    let empty = error(&["a/1.png", "b/readme.txt"]);
    assert!(
        matches!(empty, DataError::EmptyClass { nested: None, .. }),
        "{empty}"
    );
    assert!(matches!(error(&["a/x.txt"]), DataError::Empty { .. }));
    assert!(matches!(error(&["x.txt"]), DataError::Empty { .. }));
}
