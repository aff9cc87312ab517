use super::*;
use crate::weights::named_parameters;

fn imagenet64() -> UNetConfig {
    UNetConfig::new(64, 3)
        .with_base_channels(192)
        .with_channel_multipliers(vec![1, 2, 3, 4])
        .with_res_blocks(3)
        .with_attention_resolutions(vec![8, 16, 32])
        .with_heads(Heads::Channels(64))
        .with_classes(1000)
        .with_dropout(0.1)
}

fn cifar10() -> UNetConfig {
    UNetConfig {
        image_size: 32,
        base_channels: 256,
        embedding_channels: 1024,
        channel_multipliers: vec![1, 1, 1],
        attention_resolutions: vec![8, 16],
        heads: Heads::Count(1),
        classes: 0,
        dropout: 0.2,
        ..imagenet64()
    }
}

/// A small network of every kind of layer.
pub(crate) fn small() -> UNetConfig {
    UNetConfig::new(8, 1)
        .with_base_channels(8)
        .with_embedding_channels(12)
        .with_channel_multipliers(vec![1, 2])
        .with_res_blocks(1)
        .with_attention_resolutions(vec![4])
        .with_heads(Heads::Count(2))
        .with_attention_groups(4)
        .with_classes(3)
        .with_temporal(Some(TemporalConvConfig { n_modes: 2 }))
}

fn with_modes(architecture: &UNetConfig, n_modes: usize) -> UNetConfig {
    UNetConfig {
        temporal: Some(TemporalConvConfig { n_modes }),
        ..architecture.clone()
    }
}

/// Counts of the published networks, teacher and student.
#[test]
fn published_networks_have_their_published_size() -> Result<(), ConfigError> {
    assert_eq!(cifar10().parameter_count()?, 60_004_099);
    assert_eq!(with_modes(&cifar10(), 2).parameter_count()?, 65_771_267);
    assert_eq!(imagenet64().parameter_count()?, 295_900_035);
    assert_eq!(with_modes(&imagenet64(), 2).parameter_count()?, 329_225_091);
    Ok(())
}

/// Multiply-adds of the published students at four times: 76.5 G and 462.6 G.
#[test]
fn published_networks_have_their_published_cost() -> Result<(), ConfigError> {
    for (architecture, giga) in [(cifar10(), 76.5), (imagenet64(), 462.6)] {
        let found = with_modes(&architecture, 2).multiply_adds(4)? as f64 / 1e9;
        assert!(
            (found - giga).abs() < 0.01 * giga,
            "{found} G, expected {giga} G"
        );
    }
    Ok(())
}

#[test]
fn the_count_is_that_of_the_built_network() -> Result<(), ConfigError> {
    use burn::module::Module;
    // Parameters are lazy: building the 329-million network allocates none of them.
    for architecture in [small(), cifar10(), with_modes(&imagenet64(), 2)] {
        let network = architecture.init(0, &Device::flex())?;
        assert_eq!(network.num_params(), architecture.parameter_count()?);
    }
    Ok(())
}

#[test]
fn weights_depend_on_the_seed_alone() -> Result<(), ConfigError> {
    let device = Device::flex();
    let weights = |seed| Ok(named_parameters(&small().init(seed, &device)?));
    assert_eq!(weights(1)?, weights(1)?);
    assert_ne!(weights(1)?, weights(2)?);
    Ok(())
}

#[test]
fn what_cannot_be_built_is_refused_with_its_reason() {
    let refused = |change: &dyn Fn(&mut UNetConfig)| {
        let mut architecture = small();
        change(&mut architecture);
        architecture.validate().unwrap_err().to_string()
    };
    let says = [
        (
            refused(&|a| a.attention_resolutions = vec![5]),
            "attention_resolutions has 5",
        ),
        (
            refused(&|a| a.attention_groups = 3),
            "do not divide into 3 groups",
        ),
        (
            refused(&|a| a.heads = Heads::Count(5)),
            "the 16 channels of `attention at size 4` do not divide by 5",
        ),
        (refused(&|a| a.heads = Heads::Channels(0)), "do not divide"),
        (refused(&|a| a.image_size = 7), "need a size divisible by 2"),
        (refused(&|a| a.base_channels = 0), "`base_channels` is 0"),
        (
            refused(&|a| a.base_channels = 10),
            "do not divide into 7 groups",
        ),
        (
            refused(&|a| a.channel_multipliers = vec![]),
            "`channel_multipliers` is 0",
        ),
        (
            refused(&|a| a.channel_multipliers = vec![1; 70]),
            "need a size divisible by",
        ),
        (refused(&|a| a.dropout = 1.0), "`dropout` is 1"),
        (
            refused(&|a| a.temporal = Some(TemporalConvConfig { n_modes: 0 })),
            "`temporal.n_modes` is 0",
        ),
    ];
    for (found, expected) in says {
        assert!(found.contains(expected), "`{found}` lacks `{expected}`");
    }
}
