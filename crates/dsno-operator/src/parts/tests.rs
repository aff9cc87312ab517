use std::collections::BTreeMap;

use burn::tensor::Device;

use crate::family::unet::tests::small;
use crate::weights::named_parameters;
use crate::{ConfigError, Output, TemporalConvConfig, UNetConfig};

#[test]
fn the_list_is_that_of_the_built_network() -> Result<(), ConfigError> {
    let teacher = UNetConfig {
        image_channels: 2,
        temporal: None,
        output: Output::StateAndNoise,
        ..small()
    };
    let flat = UNetConfig {
        output: Output::State,
        classes: 0,
        ..teacher.clone()
    };
    let student = flat.with_temporal(Some(TemporalConvConfig { n_modes: 2 }));
    for architecture in [teacher, student] {
        let network = architecture.init(0, &Device::flex())?;
        let built = named_parameters(&network).into_iter();
        let built: BTreeMap<_, _> = built.map(|(n, t)| (n, t.shape)).collect();
        let parts = network.plan.parts();
        let listed = parts.iter().flat_map(|part| {
            let leaves = part.leaves.iter();
            leaves.map(|leaf| (part.name(leaf), leaf.shape.clone()))
        });
        assert_eq!(listed.collect::<BTreeMap<_, _>>(), built);
    }
    Ok(())
}
