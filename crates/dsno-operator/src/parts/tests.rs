use std::collections::BTreeMap;

use burn::tensor::Device;

use crate::{Heads, Output, TemporalConvConfig, UNetConfig, UNetConfigError};

#[test]
fn the_list_is_that_of_the_built_network() -> Result<(), UNetConfigError> {
    let teacher = UNetConfig {
        image_size: 8,
        image_channels: 2,
        base_channels: 8,
        embedding_channels: 12,
        channel_multipliers: vec![1, 2],
        res_blocks: 1,
        attention_resolutions: vec![4],
        heads: Heads::Count(2),
        attention_groups: 4,
        residual_groups: None,
        classes: 3,
        dropout: 0.0,
        temporal: None,
        output: Output::StateAndNoise,
    };
    let student = UNetConfig {
        classes: 0,
        ..teacher.student(Some(TemporalConvConfig { n_modes: 2 }))
    };
    for architecture in [teacher, student] {
        let built = architecture.init(0, &Device::flex())?.state_dict();
        let built: BTreeMap<_, _> = built.into_iter().map(|(n, t)| (n, t.shape)).collect();
        let plan = architecture.plan()?;
        let parts = plan.parts(&architecture);
        let listed = parts.iter().flat_map(|part| {
            let leaves = part.leaves.iter();
            leaves.map(|leaf| (part.name(leaf), leaf.shape.clone()))
        });
        assert_eq!(listed.collect::<BTreeMap<_, _>>(), built);
    }
    Ok(())
}
