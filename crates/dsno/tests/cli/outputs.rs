//! Where results go and what becomes of them: tried before the work, never mixed with what is there,
//! and readable by `evaluate`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use dsno_checkpoint::npy::{self, Array, Values};
use dsno_data::store::{Dtype, Provenance, StoreLock, StoreSpec, TrajectoryStore};

use crate::program::{Answer, answer, call, dsno, names_in, project, text};

const STUDENT: &str = "models/fashion-dsno";
const TEACHER: &str = "models/fashion-teacher";
const CLASSIFIER: &str = "datasets/fashion-mnist/classifier";

/// A file of `tests/cases`.
fn case(name: &str) -> String {
    text(&project().join("tests/cases").join(name))
}

fn sample(model: &str, more: &[&str]) -> Answer {
    call(&[&["sample", "--model", model], more].concat())
}

fn collect(more: &[&str]) -> Vec<String> {
    let start = ["collect", "--teacher", TEACHER, "--grid", "uniform"];
    let start = start.into_iter().chain(more.iter().copied());
    start.map(str::to_owned).collect()
}

/// The Fréchet distance of two sides, and the whole answer.
#[track_caller]
fn distance(a: &str, b: &str, more: &[&str]) -> (f64, Answer) {
    let answer = call(&[&["evaluate", a, b], more].concat()).succeeded();
    let value = answer.out.lines().last().unwrap().rsplit(": ").next();
    (value.unwrap().trim().parse().unwrap(), answer)
}

/// Imports a model of the cases.
fn imported(folder: &Path, name: &str) -> String {
    let out = text(&folder.join(name));
    let from = case(&format!("import/{name}"));
    let call = call(&["import", &from, "--format", "diffusers", "--out", &out]);
    call.succeeded();
    out
}

#[test]
fn pictures_of_four_channels_are_refused_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let model = imported(folder.path(), "k16_four_channels");
    for (flag, name) in [("--png", "p"), ("--npz", "p.npz")] {
        let path = folder.path().join(name);
        // So many steps would take minutes.
        let more = ["--count", "2", "--steps", "1000000", flag, &text(&path)];
        sample(&model, &more).failed(2, &["4 channels", "--raw"]);
        assert!(!path.exists());
    }
    let raw = text(&folder.path().join("p.npy"));
    sample(&model, &["--count", "2", "--steps", "2", "--raw", &raw]).succeeded();
    assert_eq!(npy::read_f32(raw).unwrap().0[1], 4);
}

#[test]
fn labels_that_were_drawn_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let model = imported(folder.path(), "k17_classes");
    let (npz, png, raw) = (at("c.npz"), at("png"), at("c.npy"));
    let start = ["--count", "4", "--steps", "2", "--seed", "3"];
    let more = ["--npz", &npz, "--png", &png, "--raw", &raw];
    sample(&model, &[&start[..], &more].concat()).succeeded();
    let archive = npy::read_npz(&npz).unwrap();
    let Values::I64(labels) = &archive["arr_1"].values else {
        panic!("{archive:?}");
    };
    assert_eq!(archive["arr_1"].shape, [4]);
    assert_eq!(archive["arr_0"].shape[0], 4);
    assert_eq!(&npy::read_i64(at("c-labels.npy")).unwrap().1, labels);
    let named = |(index, label)| format!("{index:05}-class{label}.png");
    let expected: Vec<String> = labels.iter().enumerate().map(named).collect();
    assert_eq!(names_in(Path::new(&png)), expected);
    // Given back, they make the same images; what was given is not written once more.
    let (again, labels) = (at("again.npy"), at("c-labels.npy"));
    let more = ["--labels", &labels, "--raw", &again];
    sample(&model, &[&start[..], &more].concat()).succeeded();
    assert_eq!(fs::read(&raw).unwrap(), fs::read(&again).unwrap());
    assert!(!folder.path().join("again-labels.npy").exists());
}

#[test]
fn labels_and_noise_of_other_widths() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let model = imported(folder.path(), "k17_classes");
    let noise = case("import/noise.npy");
    let images = |noise: &str, labels: &str, name: &str| {
        let raw = at(name);
        let more = ["--noise", noise, "--labels", labels];
        sample(
            &model,
            &[&more[..], &["--steps", "2", "--raw", &raw]].concat(),
        )
        .succeeded();
        npy::read_f32(raw).unwrap()
    };
    let wide = case("import/k14_labels_i8.npy");
    let expected = images(&noise, &wide, "i8.npy");
    let narrow = case("import/k14_labels_i4.npy");
    assert_eq!(images(&noise, &narrow, "i4.npy"), expected);
    let (_, labels) = npy::read_i64(&wide).unwrap();
    let bytes = Array {
        shape: vec![labels.len()],
        values: Values::U8(labels.iter().map(|&label| label as u8).collect()),
    };
    npy::write(at("u1-in.npy"), &bytes).unwrap();
    assert_eq!(images(&noise, &at("u1-in.npy"), "u1.npy"), expected);
    let raw = at("refused.npy");
    let with = |noise: &str| {
        let noise = case(noise);
        let more = ["--noise", &noise, "--steps", "2", "--raw", &raw];
        sample(&model, &more)
    };
    with("import/k15_noise_f8.npy").failed(2, &["<f8", "<f4", "astype"]);
    // Half precision is exact in single precision.
    with("import/k15_noise_f2.npy").succeeded();
    with("import/k15_noise_fortran.npy").succeeded();
}

#[test]
fn results_have_a_place_before_the_first_call() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    fs::write(at("file"), "kept").unwrap();
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/kept.txt"), "kept").unwrap();
    // So much would take hours, so whatever is refused here is refused before.
    let hours = ["--count", "50000", "--steps", "100000"];
    let refused = |flag: &str, path: &str, code: i32, words: &[&str]| {
        let more = [&hours[..], &[flag, path]].concat();
        sample(TEACHER, &more).failed(code, &[&[flag][..], words].concat());
        if ["--raw", "--store"].contains(&flag) {
            let more = [&hours[..], &["--record", "1,0", flag, path]].concat();
            call(&collect(&more)).failed(code, &[&[flag][..], words].concat());
        }
    };
    for flag in ["--raw", "--npz"] {
        refused(flag, &at("folder"), 2, &["is a folder"]);
        refused(flag, &at("file/x"), 3, &["is a file"]);
        refused(flag, &at(&"x".repeat(300)), 3, &["cannot be written"]);
        refused(flag, "/dev/null", 2, &["ordinary file"]);
    }
    refused("--png", &at("file"), 2, &["is a file"]);
    refused("--png", &at("file/x"), 3, &["is a file"]);
    refused("--png", &at("folder"), 2, &["kept.txt", "new folder"]);
    let store = |path: &str, code, words: &[&str]| {
        let more = [&hours[..], &["--record", "1,0", "--store", path]].concat();
        call(&collect(&more)).failed(code, words);
    };
    store(&at("file"), 2, &["is a file"]);
    store(&at("file/x"), 3, &["is a file"]);
    store(&at("folder"), 2, &["kept.txt", "no part of a store"]);
    let both = ["--raw", &at("x"), "--npz", &at("x")];
    sample(TEACHER, &[&hours[..], &both].concat()).failed(2, &["--raw and --npz"]);
    let noise = case("import/noise.npy");
    let own = ["--noise", &noise, "--steps", "2", "--raw", &noise];
    sample(TEACHER, &own).failed(2, &["is read by this call too"]);
    assert_eq!(names_in(folder.path()), ["file", "folder"]);
    assert_eq!(fs::read(at("file")).unwrap(), b"kept");
}

#[test]
fn folders_on_the_way_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let (raw, npz, png) = (at("no/such/o.npy"), at("nor/this/o.npz"), at("nor/that/o"));
    let more = ["--count", "2", "--raw", &raw, "--npz", &npz, "--png", &png];
    sample(STUDENT, &more).succeeded();
    for path in [
        &raw,
        &npz,
        &at("nor/that/o/00001.png"),
        &at("nor/that/o-grid.png"),
    ] {
        assert!(Path::new(path).is_file(), "{path}");
    }
    let raw = at("nor/here/o.npy");
    let more = [
        "--count", "2", "--steps", "2", "--record", "1,0", "--raw", &raw,
    ];
    call(&collect(&more)).succeeded();
    assert_eq!(npy::read_f32(raw).unwrap().0, [2, 2, 1, 16, 16]);
}

#[test]
fn numbers_out_of_all_reason() {
    let folder = tempfile::tempdir().unwrap();
    let raw = text(&folder.path().join("o.npy"));
    let end = ["--raw", &raw];
    for more in [
        ["--count", "1000000000000"],
        ["--count", "0"],
        ["--count", "-1"],
        ["--count", "99999999999999999999999"],
        ["--steps", "9223372036854775808"],
        ["--steps", "0"],
        ["--batch", "0"],
        ["--batch", "1000000000"],
        ["--times", "nan"],
        ["--times", "2,0"],
        ["--times", "0.5,inf"],
        ["--seed", "18446744073709551616"],
    ] {
        let count = if more[0] == "--count" {
            &[][..]
        } else {
            &["--count", "1"]
        };
        let arguments = [count, &more, &end].concat();
        sample(TEACHER, &arguments).failed(2, &[more[0]]);
        if more[0] != "--times" && more[0] != "--steps" {
            let rest = ["--steps", "1", "--record", "1,0"];
            call(&collect(&[&rest[..], &arguments].concat())).failed(2, &[more[0]]);
        }
    }
    let more = [
        "--count", "1", "--steps", "1", "--record", "1,nan,0", "--raw", &raw,
    ];
    call(&collect(&more)).failed(2, &["--record"]);
    let shape = "kind = 'gaussian-mixture'\nweights = [1.0]\nmeans = [[0.0]]\nstds = [1.0]\n";
    let toml = folder.path().join("t.toml");
    let huge = format!("\u{feff}{shape}shape = [4294967296, 4294967296, 1]\n");
    fs::write(&toml, huge).unwrap();
    let toml = text(&toml);
    let start = [
        "collect",
        "--teacher",
        &toml,
        "--grid",
        "uniform",
        "--steps",
        "1",
    ];
    let more = ["--count", "1", "--record", "1,0", "--raw", &raw];
    call(&[&start[..], &more].concat()).failed(2, &["shape"]);
    // Many, and still a number that somebody may want: there is no room for the result.
    let more = ["--count", "1000000000", "--raw", &raw];
    sample(STUDENT, &more).failed(3, &["fewer samples"]);
    assert_eq!(names_in(folder.path()), ["t.toml"]);
}

#[test]
fn cpu_is_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let raw = |device: &str| {
        let raw = text(&folder.path().join(device));
        let more = ["--count", "1", "--device", device, "--raw", &raw];
        sample(STUDENT, &more).succeeded();
        fs::read(raw).unwrap()
    };
    assert_eq!(raw("cpu"), raw("flex"));
}

#[test]
fn folders_of_samples_are_compared_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let features = ["--features", CLASSIFIER];
    let (a, b, raw) = (at("a"), at("b"), at("a.npy"));
    let npz = at("a.npz");
    let more = ["--count", "300", "--png", &a, "--raw", &raw, "--npz", &npz];
    sample(STUDENT, &more).succeeded();
    sample(STUDENT, &["--count", "300", "--seed", "1", "--png", &b]).succeeded();
    assert_eq!(
        names_in(folder.path()),
        ["a", "a-grid.png", "a.npy", "a.npz", "b", "b-grid.png"]
    );
    let (found, answer) = distance(&a, &b, &features);
    assert!((found - 1.943_754).abs() < 2e-4, "{found}");
    for side in [&a, &b] {
        assert!(
            answer.out.contains(&format!("{side}: 300 images")),
            "{}",
            answer.out
        );
    }
    let (archive, _) = distance(&npz, &b, &features);
    assert!((found - archive).abs() < 1e-9, "{archive}");
    // Without the rounding to bytes, of up to 1/127.5.
    let (values, answer) = distance(&raw, &b, &features);
    assert!((found - values).abs() < 0.05, "{values}");
    assert!(answer.out.contains("300 images"), "{}", answer.out);
    // Other samples do not mix with these, whatever their number.
    let more = ["--count", "100", "--seed", "9", "--png", &a];
    sample(STUDENT, &more).failed(2, &["already holds 00000.png and 299 more", "new folder"]);
    assert_eq!(names_in(Path::new(&a)).len(), 300);
    fs::remove_dir_all(&a).unwrap();
    sample(STUDENT, &more).succeeded();
    let (_, answer) = distance(&a, &b, &features);
    assert!(
        answer.out.contains(&format!("{a}: 100 images")),
        "{}",
        answer.out
    );
    // A sub-folder beside pictures: which of the two is meant?
    fs::create_dir(at("a/sub")).unwrap();
    fs::copy(at("b/00000.png"), at("a/sub/00000.png")).unwrap();
    let answer = call(&["evaluate", &a, &b, "--features", CLASSIFIER]);
    assert!(answer.code != Some(0), "{}", answer.out);
}

#[test]
fn features_of_any_width_are_compared() {
    let (x, y) = (case("evaluate/x_f64.npy"), case("evaluate/y_f64.npy"));
    let json = call(&["evaluate", &x, &y, "--json"]).succeeded().json();
    let found = json["frechet"]["value"].as_f64().unwrap();
    // By pytorch-fid, on the same features.
    assert!((found - 0.979_049_770_344_257_6).abs() < 1e-12, "{found}");
    assert_eq!(json["frechet"]["samples"], json["reference_samples"]);
    let (x32, y32) = (case("evaluate/x_f32.npy"), case("evaluate/y_f32.npy"));
    let fortran = case("evaluate/x_fortran.npy");
    for (x, y) in [(&x, &y), (&x32, &y32), (&fortran, &y32), (&x, &y32)] {
        let (found, answer) = distance(x, y, &[]);
        assert!((found - 0.979_050).abs() < 2e-6, "{x} {y}: {found}");
        assert_eq!(answer.out.matches("rows of").count(), 2, "{}", answer.out);
    }
    let own = case("import/k15_features_f8.npy");
    assert!(distance(&own, &own, &[]).0.abs() < 1e-9);
}

#[test]
fn arrays_that_are_no_images_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let write = |name: &str, shape: &[usize], value: f32| {
        let count = shape.iter().product();
        npy::write_f32(at(name), shape, &vec![value; count]).unwrap();
        at(name)
    };
    let refused = |path: &str, words: &[&str]| {
        call(&["evaluate", path, path, "--features", CLASSIFIER]).failed(2, words);
    };
    refused(&write("t.npy", &[2, 3, 1, 16, 16], 0.0), &["trajectories"]);
    refused(&write("b.npy", &[2, 1, 16, 16], 200.0), &["200", "[-1, 1]"]);
    refused(&write("n.npy", &[2, 1, 16, 16], f32::NAN), &["NaN"]);
    refused(&write("s.npy", &[2, 1, 8, 8], 0.0), &["1×16×16"]);
    refused(&write("v.npy", &[2], 0.0), &["expected features"]);
    let bytes = |shape: &[usize]| Array {
        shape: shape.to_vec(),
        values: Values::U8((0..shape.iter().product()).map(|i| (i * 7) as u8).collect()),
    };
    // Bytes with channels last or without an axis for them are the same pictures.
    npy::write(at("nhwc.npy"), &bytes(&[3, 16, 16, 1])).unwrap();
    npy::write(at("nhw.npy"), &bytes(&[3, 16, 16])).unwrap();
    let features = ["--features", CLASSIFIER, "--metrics", "paired"];
    let same = call(
        &[
            &["evaluate", &at("nhwc.npy"), &at("nhw.npy")],
            &features[..],
        ]
        .concat(),
    );
    assert!(same.succeeded().out.contains("3 images"));
}

#[test]
fn data_sets_and_stores_are_compared_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let features = ["--features", CLASSIFIER];
    let (store, raw, early) = (at("store"), at("raw.npy"), at("early"));
    let start = ["--count", "40", "--steps", "2", "--record"];
    call(&collect(
        &[&start[..], &["1,0", "--store", &store]].concat(),
    ))
    .succeeded();
    let (_, answer) = distance("fashion-mnist", &store, &features);
    assert!(
        answer.out.contains("fashion-mnist: 10000 images"),
        "{}",
        answer.out
    );
    assert!(answer.out.contains("store: 40 images"), "{}", answer.out);
    // The images of a store are those of the sampler.
    sample(TEACHER, &["--count", "40", "--steps", "2", "--raw", &raw]).succeeded();
    let (same, _) = distance(&store, &raw, &features);
    assert!(same.abs() < 1e-6, "{same}");
    // Made by hand: a store of `collect` always ends at 0.
    fs::create_dir(&early).unwrap();
    let spec = StoreSpec {
        samples: 1,
        times: vec![1.0, 0.25],
        log_snr: vec![-20.0, 3.0],
        shape: [1, 16, 16],
        shard_samples: 1,
        dtype: Dtype::F32,
        zstd: false,
        classes: 0,
        provenance: Provenance::new(0, "ddim", 1),
    };
    let mut made = TrajectoryStore::create(&early, &spec).unwrap();
    made.write_shard(0, &[0.5; 512], &[]).unwrap();
    call(&["evaluate", &early, &raw, "--features", CLASSIFIER]).failed(2, &["time 0.25"]);
    call(&["evaluate", "fashion", &raw]).failed(3, &["fashion", "fashion-mnist"]);
    call(&["evaluate", &raw, &raw, "--features", "/no/such"]).failed(3, &["/no/such"]);
}

/// All shards of a store, by their files.
fn shards(store: &Path) -> Vec<(String, Vec<u8>)> {
    let states = store.join("states");
    let files = names_in(&states).into_iter();
    files
        .filter(|name| name.starts_with("c."))
        .map(|name| (name.clone(), fs::read(states.join(name)).unwrap()))
        .collect()
}

#[test]
fn a_damaged_shard_is_collected_again_whatever_the_batch_size() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let path = text(&store);
    let with = |more: &[&str]| {
        let start = [
            "--count", "24", "--steps", "2", "--record", "1,0.5,0", "--store", &path,
        ];
        call(&collect(&[&start[..], more].concat()))
    };
    with(&["--shard", "8"]).succeeded();
    let whole = shards(&store);
    assert_eq!(whole.len(), 3);
    let file = |shard: usize| store.join("states").join(&whole[shard].0);
    let is_whole = |batch: &str| {
        assert!(shards(&store) == whole, "batch {batch}");
        let opened = TrajectoryStore::open(&store).unwrap();
        opened.verify().unwrap();
        assert!(opened.is_complete(), "batch {batch}");
    };
    let damages: [&dyn Fn(); 4] = [
        &|| fs::remove_file(file(1)).unwrap(),
        &|| fs::write(file(1), &whole[1].1[..1000]).unwrap(),
        &|| {
            let mut bytes = whole[1].1.clone();
            bytes[500] ^= 1;
            fs::write(file(1), bytes).unwrap();
        },
        &|| fs::write(store.join("labels/c.1"), b"").unwrap(),
    ];
    for (damage, batch) in damages.into_iter().zip(["64", "3", "8", "1"]) {
        damage();
        let answer = with(&["--batch", batch]).succeeded();
        assert!(answer.err.contains("1 of the shards"), "{}", answer.err);
        is_whole(batch);
    }
    // The advice of the error that other verbs give.
    fs::remove_file(file(1)).unwrap();
    let error = call(&["evaluate", &path, &path, "--features", CLASSIFIER]);
    let error = error
        .failed(1, &["is damaged: delete ", "sha256/c.1.0"])
        .err;
    let row = error
        .split("delete ")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    fs::remove_file(row).unwrap();
    let error = call(&["evaluate", &path, &path, "--features", CLASSIFIER]);
    error.failed(1, &["shard 1 of", "is missing", "run again"]);
    let answer = with(&[]).succeeded();
    assert!(!answer.err.contains("damaged"), "{}", answer.err);
    assert_eq!(shards(&store), whole, "the same call gives the same bits");
    // Other trajectories go elsewhere, as the error says.
    let other = [
        "--count", "24", "--steps", "3", "--record", "1,0.5,0", "--store",
    ];
    call(&collect(&[&other[..], &[&path]].concat())).failed(1, &["steps is 2", "another folder"]);
    let elsewhere = text(&folder.path().join("other"));
    call(&collect(&[&other[..], &[&elsewhere]].concat())).succeeded();
    assert_eq!(shards(&store), whole);
}

#[test]
fn two_that_fill_one_store_both_end_well() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let start = |store: &Path, batch: &str| {
        let store = text(store);
        let more = [
            "--count", "96", "--steps", "4", "--record", "1,0", "--shard", "16",
        ];
        let more = [&more[..], &["--batch", batch, "--store", &store]].concat();
        dsno(&collect(&more))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let calls = ["16", "16", "16"].map(|batch| start(&two, batch));
    for call in calls {
        answer(&call.wait_with_output().unwrap()).succeeded();
    }
    answer(&start(&one, "16").wait_with_output().unwrap()).succeeded();
    assert_eq!(shards(&one).len(), 6);
    assert_eq!(shards(&one), shards(&two));
    // Held by another process, the store is waited for.
    let lock = StoreLock::try_take(&two).unwrap().unwrap();
    let mut waiting = start(&two, "8");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(waiting.try_wait().unwrap().is_none());
    drop(lock);
    let answer = answer(&waiting.wait_with_output().unwrap()).succeeded();
    assert!(
        answer.err.contains("waiting for another process"),
        "{}",
        answer.err
    );
}

#[test]
fn a_new_store_has_the_same_files_whatever_the_batch_size() {
    let folder = tempfile::tempdir().unwrap();
    let files = |batch: &str| {
        let store: PathBuf = folder.path().join(batch);
        let path = text(&store);
        let more = [
            "--count", "20", "--steps", "1", "--record", "1,0", "--store", &path,
        ];
        call(&collect(&[&more[..], &["--batch", batch]].concat())).succeeded();
        names_in(&store.join("states"))
    };
    assert_eq!(files("4"), files("20"));
}
