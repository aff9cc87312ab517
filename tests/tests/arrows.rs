//! The arrows of ARCHITECTURE.md, read off `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::process::Command;

use serde_json::Value;

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Normal dependencies between packages of the workspace, and burn's backends by package.
fn metadata() -> Result<(Arrows, Arrows), Box<dyn Error>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let backends = [
        "flex", "wgpu", "vulkan", "metal", "cuda", "rocm", "ndarray", "tch",
    ];
    let (mut arrows, mut enabled) = (Arrows::new(), Arrows::new());
    for package in metadata["packages"].as_array().ok_or("no packages")? {
        let name = text(&package["name"]);
        for dependency in package["dependencies"]
            .as_array()
            .ok_or("no dependencies")?
        {
            if !dependency["kind"].is_null() {
                continue;
            }
            let on = text(&dependency["name"]);
            if on.starts_with("dsno") {
                arrows.entry(name.clone()).or_default().insert(on);
            } else if on == "burn" {
                let features = dependency["features"].as_array().ok_or("no features")?;
                let found = features
                    .iter()
                    .map(text)
                    .filter(|f| backends.contains(&f.as_str()));
                enabled.entry(name.clone()).or_default().extend(found);
            }
        }
    }
    Ok((arrows, enabled))
}

#[test]
fn crates_depend_on_each_other_as_the_architecture_says() -> Result<(), Box<dyn Error>> {
    let (arrows, _) = metadata()?;
    let all = [
        "dsno-checkpoint",
        "dsno-data",
        "dsno-eval",
        "dsno-kernels",
        "dsno-model",
        "dsno-ode",
        "dsno-operator",
        "dsno-train",
    ];
    let expected = [
        ("dsno", &all[..]),
        ("dsno-data", &["dsno-checkpoint"]),
        ("dsno-eval", &["dsno-checkpoint", "dsno-data", "dsno-model"]),
        (
            "dsno-model",
            &["dsno-checkpoint", "dsno-ode", "dsno-operator"],
        ),
        (
            "dsno-operator",
            &["dsno-checkpoint", "dsno-kernels", "dsno-ode"],
        ),
        ("dsno-tests", &["dsno-kernels"]),
        (
            "dsno-train",
            &[
                "dsno-checkpoint",
                "dsno-data",
                "dsno-kernels",
                "dsno-model",
                "dsno-ode",
                "dsno-operator",
            ],
        ),
    ];
    let set = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect();
    let expected: Arrows = expected
        .iter()
        .map(|&(n, on)| (n.to_owned(), set(on)))
        .collect();
    assert_eq!(arrows, expected);
    Ok(())
}

#[test]
fn no_crate_turns_a_backend_on_by_itself() -> Result<(), Box<dyn Error>> {
    let (_, enabled) = metadata()?;
    assert!(
        enabled.contains_key("dsno-train"),
        "burn's features were not read"
    );
    for (name, backends) in enabled {
        assert!(
            backends.is_empty(),
            "{name} enables {backends:?} for everyone"
        );
    }
    Ok(())
}
