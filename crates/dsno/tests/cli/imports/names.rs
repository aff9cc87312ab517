//! The same weights under other names, and files that are no weights.

use std::fs;

use dsno_checkpoint::to_safetensors;

use super::{Work, base_weights, case};
use crate::program::call;

const FILE: &str = "unet/diffusion_pytorch_model.safetensors";

/// A model whose weights have other names, and `more` tensors besides.
fn renamed(work: &Work, folder: &str, name: impl Fn(&str) -> String, more: &[&str]) -> String {
    let from = work.copy("k11_base", folder, &[]);
    let base = base_weights();
    let besides = base["conv_in.bias"].clone();
    let mut weights: dsno_checkpoint::StateDict = base
        .into_iter()
        .map(|(own, tensor)| (name(&own), tensor))
        .collect();
    weights.extend(
        more.iter()
            .map(|name| ((*name).to_owned(), besides.clone())),
    );
    fs::write(work.path(folder).join(FILE), to_safetensors(&weights)).unwrap();
    from
}

#[test]
fn what_wrappers_put_before_names_is_taken_off_and_told() {
    let work = Work::new();
    for (from, prefix) in [
        ("k09_orig_mod", "`_orig_mod`"),
        ("k10_module_prefix", "`module.`"),
    ] {
        let answer = work.gives_base(&case(from), &[]);
        assert!(answer.err.contains(prefix), "{}", answer.err);
        assert_eq!(answer.err.lines().count(), 1, "{}", answer.err);
    }
    for (place, prefix) in [
        "module._orig_mod.",
        "_orig_mod.module.",
        "state_dict.module.",
        "model.",
        "unet.",
    ]
    .into_iter()
    .enumerate()
    {
        let from = renamed(
            &work,
            &format!("m{place}"),
            |name| format!("{prefix}{name}"),
            &[],
        );
        work.gives_base(&from, &[]);
    }
    // A part that was compiled or checkpointed by itself.
    let part = |name: &str| name.replacen("down_blocks.0.", "down_blocks.0._orig_mod.", 1);
    work.gives_base(&renamed(&work, "part", part, &[]), &[]);
}

#[test]
fn dictionaries_around_the_weights_are_read() {
    let work = Work::new();
    let config = case("k11_base/unet/config.json");
    for file in ["k11_wrapped_state_dict.pt", "whole_module.pt"] {
        let answer = work.gives_base(&case(file), &["--arch", &config]);
        assert_eq!(answer.err.lines().count(), 1, "{}", answer.err);
    }
    let more = ["optimizer.state.0.exp_avg", "step"];
    for (place, key) in [
        "model_state_dict.",
        "params_ema.",
        "ema.",
        "state_dict.model.",
    ]
    .into_iter()
    .enumerate()
    {
        let from = renamed(
            &work,
            &format!("d{place}"),
            |name| format!("{key}{name}"),
            &more,
        );
        let answer = work.gives_base(&from, &[]);
        for words in [key, "`optimizer.` (1)", "left alone"] {
            assert!(answer.err.contains(words), "{}", answer.err);
        }
    }
}

#[test]
fn of_two_sets_the_average_is_read() {
    let work = Work::new();
    let base = base_weights();
    let mut weights = dsno_checkpoint::StateDict::new();
    for (name, tensor) in &base {
        let mut other = tensor.clone();
        other.values.iter_mut().for_each(|value| *value += 1.0);
        weights.insert(format!("model.{name}"), other);
        weights.insert(format!("ema.{name}"), tensor.clone());
    }
    let from = work.copy("k11_base", "sets", &[]);
    let file = work.path("sets").join(FILE);
    fs::write(&file, to_safetensors(&weights)).unwrap();
    let answer = work.gives_base(&from, &[]);
    assert!(answer.err.contains("`ema.`"), "{}", answer.err);
    let either = |(name, tensor): (&String, _)| {
        let name = name.replacen("ema.", "teacher.", 1);
        (name.replacen("model.", "student.", 1), tensor)
    };
    let unclear = weights
        .iter()
        .map(|(name, tensor)| either((name, tensor.clone())));
    let unclear: dsno_checkpoint::StateDict = unclear.collect();
    fs::write(&file, to_safetensors(&unclear)).unwrap();
    work.refuses(&from, 2, &["2 networks", "`student.`", "`teacher.`"]);
}

#[test]
fn errors_about_names_are_short() {
    let work = Work::new();
    let from = renamed(
        &work,
        "other",
        |name| format!("my_{}", name.replace('.', "_")),
        &[],
    );
    work.refuses(
        &from,
        1,
        &[
            "44 missing",
            "44 unexpected",
            "`time_embedding.linear_1.weight`",
            "and 40 more",
        ],
    );
    let hidden = |name: &str| {
        format!(
            "net.denoiser.{}",
            name.replace("conv", "c").replace("resnets", "r")
        )
    };
    let from = renamed(&work, "hidden", hidden, &[]);
    work.refuses(
        &from,
        1,
        &["unexpected that all begin with `net.denoiser.`"],
    );
    // Everything is under a prefix, and one tensor of another shape is still one too many.
    let from = renamed(
        &work,
        "more",
        |name| format!("module.{name}"),
        &["module.extra"],
    );
    work.refuses(&from, 1, &["1 unexpected (`extra`)"]);
}

#[test]
fn files_that_are_no_weights_are_named() {
    let work = Work::new();
    work.refuses(
        &case("k06_lfs_pointer"),
        1,
        &["Git LFS pointer", "git lfs pull"],
    );
    let from = work.copy("k11_base", "other", &[]);
    let file = work.path("other").join(FILE);
    let index = r#"{"metadata": {"total_size": 1}, "weight_map": {"a": "b.safetensors"}}"#;
    for (content, words) in [
        ("<!DOCTYPE html>\n<html><body>404</body></html>", "web site"),
        (index, "index of weights"),
        ("{\"_class_name\": \"UNet2DModel\"}", "JSON"),
        ("Entry not found", "Entry not found"),
        ("", "empty"),
    ] {
        fs::write(&file, content).unwrap();
        work.refuses(&from, 1, &["diffusion_pytorch_model.safetensors is", words]);
    }
    fs::write(
        work.path("other/unet/config.json"),
        "<!DOCTYPE html>\n<html>",
    )
    .unwrap();
    work.refuses(&from, 2, &["config.json is", "web site"]);
    let pointer = case("k06_lfs_pointer/unet/diffusion_pytorch_model.safetensors");
    let out = work.text("out");
    let arguments = [
        "import", &pointer, "--format", "edm", "--arch", &pointer, "--out", &out,
    ];
    call(&arguments).failed(2, &["Git LFS pointer"]);
}
