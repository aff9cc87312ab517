use std::collections::BTreeMap;

use burn::tensor::Device;

use crate::weights::named_parameters;
use crate::{ConfigError, Heads, Output, TemporalConvConfig, UNetConfig};

#[test]
fn the_list_is_that_of_the_built_network() -> Result<(), ConfigError> {
    let teacher = UNetConfig::new(8, 2)
        .with_base_channels(8)
        .with_embedding_channels(12)
        .with_channel_multipliers(vec![1, 2])
        .with_res_blocks(1)
        .with_attention_resolutions(vec![4])
        .with_heads(Heads::Count(2))
        .with_attention_groups(4)
        .with_classes(3)
        .with_output(Output::StateAndNoise);
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
