//! Where a model's files lie: variants, shards, other programs' names, the hub's cache.

use std::fs;

use dsno_checkpoint::{Checkpoint, CheckpointFormat, StateDict, to_safetensors, to_torch};

use super::{Work, base_weights, case};

const FOLDER: &str = "unet";
const FILE: &str = "diffusion_pytorch_model.safetensors";

/// The weights of the base in f16 and back.
fn halved() -> Vec<u8> {
    let file = case("k04_fp16_variant/unet/diffusion_pytorch_model.fp16.safetensors");
    let file = Checkpoint::open(file.as_ref(), CheckpointFormat::Safetensors).unwrap();
    let weights = file
        .names()
        .map(|name| (name.to_owned(), file.read(name).unwrap()));
    to_safetensors(&weights.collect())
}

#[test]
fn a_variant_is_read_where_nothing_else_is() {
    let work = Work::new();
    work.import(&case("k04_fp16_variant"), &[]).succeeded();
    assert!(work.weights() == halved());
    fs::remove_dir_all(work.path("out")).unwrap();
    let from = work.copy("k04_fp16_variant", "several", &[]);
    let folder = work.path("several").join(FOLDER);
    let fp16 = folder.join("diffusion_pytorch_model.fp16.safetensors");
    fs::copy(
        &fp16,
        folder.join("diffusion_pytorch_model.non_ema.safetensors"),
    )
    .unwrap();
    work.refuses(&from, 2, &["fp16.safetensors", "non_ema.safetensors"]);
    fs::write(folder.join(FILE), super::base()).unwrap();
    work.gives_base(&from, &[]);
}

#[test]
fn names_of_accelerate_and_of_pickles_are_read() {
    let work = Work::new();
    work.import(&case("k13_accelerate"), &[]).succeeded();
    assert!(work.weights() == halved());
    fs::remove_dir_all(work.path("out")).unwrap();
    for name in ["pytorch_model.bin", "diffusion_pytorch_model.bin"] {
        let from = work.copy("k13_accelerate", name, &["model.safetensors"]);
        let mut pickle = Vec::new();
        to_torch(&base_weights(), &mut pickle).unwrap();
        fs::write(work.path(name).join(name), pickle).unwrap();
        // It has the weights twice, as `model` and `ema`.
        work.gives_base(&from, &[]);
    }
    let from = work.copy("k13_accelerate", "none", &["model.safetensors"]);
    fs::write(work.path("none/weights.ckpt"), "x").unwrap();
    work.refuses(&from, 3, &[FILE, "weights.ckpt"]);
}

#[test]
fn weights_in_several_files_are_read_by_their_index() {
    let work = Work::new();
    let base = base_weights();
    let from = work.copy(
        "k11_base",
        "shards",
        &["unet/diffusion_pytorch_model.safetensors"],
    );
    let folder = work.path("shards").join(FOLDER);
    let names = [
        "x-00001-of-00002.safetensors",
        "x-00002-of-00002.safetensors",
    ];
    let mut parts = [StateDict::new(), StateDict::new()];
    let mut map = serde_json::Map::new();
    for (place, (name, tensor)) in base.into_iter().enumerate() {
        map.insert(name.clone(), names[place % 2].into());
        parts[place % 2].insert(name, tensor);
    }
    for (name, part) in names.iter().zip(&parts) {
        fs::write(folder.join(name), to_safetensors(part)).unwrap();
    }
    work.refuses(&from, 3, &["00001-of-00002", "no index"]);
    let index = serde_json::json!({ "metadata": { "total_size": 1 }, "weight_map": map });
    for name in [
        "diffusion_pytorch_model.safetensors.index.json",
        "diffusion_pytorch_model.bin.index.json",
        "model.safetensors.index.json",
        "diffusion_pytorch_model.safetensors.index.fp16.json",
    ] {
        let file = folder.join(name);
        fs::write(&file, index.to_string()).unwrap();
        work.gives_base(&from, &[]);
        work.refuses(&super::text(&file), 1, &["index of weights"]);
        fs::remove_file(file).unwrap();
    }
    let file = folder.join("diffusion_pytorch_model.safetensors.index.json");
    let wrong = index.to_string().replacen(names[0], names[1], 1);
    fs::write(&file, wrong).unwrap();
    work.refuses(&from, 1, &["conv_in.bias", names[0], names[1]]);
    fs::write(
        &file,
        index.to_string().replace(names[0], "../x.safetensors"),
    )
    .unwrap();
    work.refuses(&from, 1, &["../x.safetensors"]);
    fs::write(&file, index.to_string()).unwrap();
    fs::remove_file(folder.join(names[1])).unwrap();
    work.refuses(&from, 3, &[names[1]]);
}

#[test]
fn the_cache_of_the_hub_is_read_from_its_root() {
    let work = Work::new();
    let hub = work.path("hub");
    let model = hub.join("models--google--ddpm");
    let snapshot = |hash: &str| {
        work.copy(
            "k11_base",
            &format!("hub/models--google--ddpm/snapshots/{hash}"),
            &[],
        )
    };
    snapshot("1a2b");
    for root in [
        &hub,
        &model,
        &model.join("snapshots"),
        &model.join("snapshots/1a2b"),
    ] {
        work.gives_base(&super::text(root), &[]);
    }
    let other = snapshot("3c4d");
    let from = super::text(&model);
    work.refuses(&from, 2, &["1a2b", "3c4d"]);
    fs::remove_dir_all(format!("{other}/scheduler")).unwrap();
    fs::create_dir(model.join("refs")).unwrap();
    fs::write(model.join("refs/main"), "1a2b\n").unwrap();
    work.gives_base(&from, &[]);
    fs::write(model.join("refs/main"), "5e6f").unwrap();
    work.refuses(&from, 3, &["refs/main"]);
    fs::create_dir(hub.join("models--google--other")).unwrap();
    work.refuses(
        &super::text(&hub),
        2,
        &["models--google--ddpm", "models--google--other"],
    );
}

#[test]
fn what_is_missing_is_named() {
    let work = Work::new();
    let from = work.copy("k11_base", "no_scheduler", &["scheduler"]);
    work.refuses(&from, 3, &["scheduler_config.json"]);
    let from = work.copy("k11_base", "no_config", &["unet/config.json"]);
    work.refuses(&from, 3, &[FILE]);
    let from = work.copy(
        "k11_base",
        "link",
        &["unet/diffusion_pytorch_model.safetensors"],
    );
    #[cfg(unix)]
    {
        let link = work.path("link").join(FOLDER).join(FILE);
        std::os::unix::fs::symlink("../../blobs/gone", link).unwrap();
        work.refuses(&from, 3, &["link to a file that is not there"]);
    }
    let _ = from;
}
