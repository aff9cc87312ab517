//! What is there is kept: imports and exports replace nothing that they should not.

use std::fs;
use std::path::Path;

use super::{Work, case, copy};
use crate::program::{Answer, call, contents, names_in, project, text};

fn import(from: &Path, out: &Path, more: &[&str]) -> Answer {
    let (from, out) = (text(from), text(out));
    call(
        &[
            &["import", &from, "--format", "diffusers", "--out", &out],
            more,
        ]
        .concat(),
    )
}

/// An import that must fail and change nothing below a folder.
#[track_caller]
fn keeps(folder: &Path, from: &Path, out: &Path, more: &[&str], code: i32, words: &[&str]) {
    let before = contents(folder, &|_| true);
    import(from, out, more).failed(code, words);
    assert!(
        contents(folder, &|_| true) == before,
        "something was changed"
    );
    let names: Vec<String> = names_in(folder);
    assert!(
        !names.iter().any(|name| name.ends_with(".tmp")),
        "{names:?}"
    );
}

#[test]
fn an_import_never_replaces_its_own_input() {
    let work = Work::new();
    work.copy("k13_accelerate", "A", &[]);
    let (all, folder) = (work.path(""), work.path("A"));
    let file = folder.join("model.safetensors");
    for more in [&[][..], &["--force"]] {
        keeps(
            &all,
            &file,
            &folder,
            more,
            2,
            &["never replaced", "model.safetensors"],
        );
        keeps(
            &all,
            &file,
            &folder.join("../A/."),
            more,
            2,
            &["never replaced"],
        );
        let words = ["a folder of the model that is imported"];
        keeps(&all, &folder, &folder, more, 2, &words);
        keeps(&all, &folder, &folder.join("new/.."), more, 2, &words);
        let pipeline = work.path("pipeline");
        copy(Path::new(&case("k11_base")), &pipeline, &[]);
        for own in [".", "unet", "scheduler", "../pipeline/unet"] {
            keeps(&all, &pipeline, &pipeline.join(own), more, 2, &words);
        }
    }
    import(&work.path("pipeline"), &work.path("pipeline/new"), &[]).succeeded();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("A", work.path("B")).unwrap();
        fs::create_dir(work.path("C")).unwrap();
        fs::hard_link(&file, work.path("C/model.safetensors")).unwrap();
        keeps(
            &all,
            &file,
            &work.path("B"),
            &["--force"],
            2,
            &["never replaced"],
        );
        keeps(
            &all,
            &folder,
            &work.path("B"),
            &["--force"],
            2,
            &["that is imported"],
        );
        keeps(
            &all,
            &file,
            &work.path("C"),
            &["--force"],
            2,
            &["never replaced"],
        );
    }
    // Beside its input, a model is welcome.
    let other = folder.join("diffusion_pytorch_model.safetensors");
    fs::rename(&file, &other).unwrap();
    import(&other, &folder, &[]).succeeded();
}

#[test]
fn a_model_is_replaced_only_when_asked_for() {
    let work = Work::new();
    let (all, out) = (work.path(""), work.path("S"));
    copy(&project().join("models/fashion-dsno"), &out, &[]);
    let base = case("k11_base");
    let base = Path::new(&base);
    keeps(&all, base, &out, &[], 2, &["holds a model", "--force"]);
    // What fails leaves the model as it was, with --force too.
    let wrong = case("k06_lfs_pointer");
    keeps(&all, Path::new(&wrong), &out, &["--force"], 1, &["Git LFS"]);
    let answer = import(base, &out, &["--force"]).succeeded();
    assert!(answer.err.contains("CARD.md"), "{}", answer.err);
    call(&["describe", &text(&out)]).succeeded();
    fs::remove_file(out.join("model.toml")).unwrap();
    keeps(&all, base, &out, &[], 2, &["model.safetensors"]);
    // A folder with other things is taken, an import that was cut off is continued.
    fs::remove_file(out.join("model.safetensors")).unwrap();
    import(base, &out, &[]).succeeded();
    fs::create_dir(out.join(".import.tmp")).unwrap();
    fs::rename(out.join("model.toml"), out.join(".import.tmp/model.toml")).unwrap();
    import(base, &out, &[]).succeeded();
    assert_eq!(
        names_in(&out),
        ["CARD.md", "model.safetensors", "model.toml"]
    );
}

#[test]
fn the_output_is_tried_before_the_weights_are_read() {
    let work = Work::new();
    fs::write(work.path("file"), "x").unwrap();
    // Weights that would fail later, with another code.
    let wrong = case("k06_lfs_pointer");
    let wrong = Path::new(&wrong);
    let all = work.path("");
    keeps(&all, wrong, &work.path("file"), &[], 2, &["is a file"]);
    keeps(
        &all,
        wrong,
        &work.path("file/model"),
        &[],
        3,
        &["cannot write in"],
    );
    import(wrong, &work.path("a/b/c"), &[]).failed(1, &["Git LFS"]);
    assert!(!work.path("a").exists(), "folders were left");
}

#[test]
fn an_export_never_replaces_a_model() {
    let work = Work::new();
    work.import(&case("k11_base"), &[]).succeeded();
    let model = work.text("out");
    copy(&work.path("out"), &work.path("other"), &[]);
    let before = contents(&work.path(""), &|_| true);
    let export = |out: &str| {
        call(&[
            "export",
            &model,
            "--format",
            "safetensors",
            "--out",
            &work.text(out),
        ])
    };
    for own in [
        "out/model.safetensors",
        "out/../out/model.safetensors",
        "out/model.toml",
    ] {
        export(own).failed(2, &["file of the model"]);
    }
    export("other/model.safetensors").failed(2, &["another model"]);
    export("out").failed(2, &["is no file"]);
    export("no/such/file").failed(3, &["no folder"]);
    export("out/model.toml/file").failed(3, &["no folder"]);
    assert!(
        contents(&work.path(""), &|_| true) == before,
        "something was changed"
    );
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("out/model.safetensors", work.path("link")).unwrap();
        export("link").failed(2, &["file of the model"]);
        export("other/../link").failed(2, &["file of the model"]);
    }
    fs::write(work.path("old"), "x").unwrap();
    export("old").succeeded();
    assert!(fs::read(work.path("old")).unwrap() == work.weights());
}
