//! The arrays of a store and their metadata.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zarrs::array::codec::{BytesCodec, Crc32cCodec};
use zarrs::array::{Array, ArrayBuilder, ArrayMetadataOptions, ChunkKeySeparator, data_type};
use zarrs::array::{BytesToBytesCodecTraits, CodecChain};
use zarrs::group::GroupBuilder;
use zarrs::storage::store::MemoryStore;
use zarrs::storage::{ListableStorageTraits, ReadableStorageTraits};

use super::{Dtype, StoreError, StoreSpec, ZarrError};
use dsno_checkpoint::atomic::{self, WriteError};

/// Version of the layout; a reader refuses others.
pub(super) const FORMAT: u32 = 1;

/// Attributes of the group.
#[derive(Serialize, Deserialize)]
pub(super) struct Attributes {
    pub(super) dsno_format: u32,
    #[serde(flatten)]
    pub(super) spec: StoreSpec,
}

/// Begins a store. Shards that lie there already are of unknown origin, so they count as missing.
pub(super) fn create(path: &Path, spec: &StoreSpec) -> Result<(), StoreError> {
    for row in fs::read_dir(path.join("sha256")).into_iter().flatten() {
        let Ok(row) = row else { continue };
        if row.file_name().to_string_lossy().starts_with("c.") {
            let path = row.path();
            fs::remove_file(&path).map_err(|source| WriteError::Write { path, source })?;
        }
    }
    write_metadata(path, spec)
}

/// Writes everything but the shards; the group's own metadata last, so that a store that can be
/// opened is complete up to its shards.
pub(super) fn write_metadata(path: &Path, spec: &StoreSpec) -> Result<(), StoreError> {
    let memory = template(spec).map_err(|error| error.at(path))?;
    let failed = |error: zarrs::storage::StorageError| ZarrError::from(error).at(path);
    let mut keys = memory.list().map_err(failed)?;
    keys.sort_by_key(|key| key.as_str() == "zarr.json");
    for array in ["states", "labels", "times", "log_snr", "sha256"] {
        let folder = path.join(array);
        fs::create_dir_all(&folder).map_err(|source| WriteError::Write {
            path: folder,
            source,
        })?;
    }
    for key in keys {
        let bytes = memory.get(&key).map_err(failed)?.unwrap_or_default();
        atomic::write_atomic(path.join(key.as_str()), &bytes)?;
    }
    Ok(())
}

/// The store before its first shard, in memory.
fn template(spec: &StoreSpec) -> Result<Arc<MemoryStore>, ZarrError> {
    let memory = Arc::new(MemoryStore::new());
    let attributes = Attributes {
        dsno_format: FORMAT,
        spec: spec.clone(),
    };
    let attributes = match serde_json::to_value(attributes) {
        Ok(Value::Object(attributes)) => attributes,
        _ => Map::new(),
    };
    let group = GroupBuilder::new()
        .attributes(attributes)
        .build(memory.clone(), "/")?;
    group.store_metadata()?;
    let options = ArrayMetadataOptions::default().with_include_zarrs_metadata(false);
    states(spec, &memory)?.store_metadata_opt(&options)?;
    labels(spec, &memory)?.store_metadata_opt(&options)?;
    let shards = spec.shards() as u64;
    let manifest = builder(
        vec![shards, 32],
        vec![1, 32],
        data_type::uint8(),
        0_u8,
        ["shard", "byte"],
    )
    .build(memory.clone(), "/sha256")?;
    manifest.store_metadata_opt(&options)?;
    for (name, values) in [("/times", &spec.times), ("/log_snr", &spec.log_snr)] {
        let t = vec![values.len() as u64];
        let array = builder(t.clone(), t, data_type::float64(), 0.0_f64, ["time"])
            .build(memory.clone(), name)?;
        array.store_metadata_opt(&options)?;
        // A chunk of zeros alone would not be stored, and it need not be.
        array.store_chunk(&[0], values)?;
    }
    Ok(memory)
}

/// The array of states over `storage`.
pub(super) fn states(
    spec: &StoreSpec,
    storage: &Arc<MemoryStore>,
) -> Result<Array<MemoryStore>, ZarrError> {
    let [c, h, w] = spec.shape.map(|n| n as u64);
    let t = spec.times.len() as u64;
    let shape = vec![spec.samples as u64, t, c, h, w];
    let shard = vec![spec.shard_samples as u64, t, c, h, w];
    let names = ["sample", "time", "channel", "y", "x"];
    let mut builder = match spec.dtype {
        Dtype::F32 => builder(shape, shard, data_type::float32(), 0.0_f32, names),
        Dtype::F16 => builder(shape, shard, data_type::float16(), half::f16::ZERO, names),
    };
    builder.subchunk_shape(vec![1, t, c, h, w]);
    builder.array_to_bytes_codec(Arc::new(BytesCodec::little()));
    builder.bytes_to_bytes_codecs(codecs(spec)?);
    Ok(builder.build(storage.clone(), "/states")?)
}

/// How one sample becomes bytes within its shard; the same codecs as in [`states`].
pub(super) fn sample_codec(spec: &StoreSpec) -> Result<CodecChain, ZarrError> {
    Ok(CodecChain::new(
        Vec::new(),
        Arc::new(BytesCodec::little()),
        codecs(spec)?,
    ))
}

/// Compression, if asked for, then a checksum of each sample.
#[cfg(feature = "zstd")]
fn codecs(spec: &StoreSpec) -> Result<Vec<Arc<dyn BytesToBytesCodecTraits>>, ZarrError> {
    use zarrs::array::codec::ZstdCodec;
    let mut codecs: Vec<Arc<dyn BytesToBytesCodecTraits>> = Vec::new();
    if spec.zstd {
        codecs.push(Arc::new(ZstdCodec::new(3, false)));
    }
    codecs.push(Arc::new(Crc32cCodec::new()));
    Ok(codecs)
}

/// A checksum of each sample; [`StoreSpec::validate`] has refused compression.
#[cfg(not(feature = "zstd"))]
#[allow(
    clippy::unnecessary_wraps,
    reason = "the variant with compression can fail"
)]
fn codecs(_: &StoreSpec) -> Result<Vec<Arc<dyn BytesToBytesCodecTraits>>, ZarrError> {
    Ok(vec![Arc::new(Crc32cCodec::new())])
}

/// The array of labels over `storage`.
pub(super) fn labels(
    spec: &StoreSpec,
    storage: &Arc<MemoryStore>,
) -> Result<Array<MemoryStore>, ZarrError> {
    let (samples, shard) = (spec.samples as u64, spec.shard_samples as u64);
    let mut builder = builder(
        vec![samples],
        vec![shard],
        data_type::int64(),
        0_i64,
        ["sample"],
    );
    builder.array_to_bytes_codec(Arc::new(BytesCodec::little()));
    builder.bytes_to_bytes_codecs(vec![Arc::new(Crc32cCodec::new())]);
    Ok(builder.build(storage.clone(), "/labels")?)
}

fn builder<const N: usize>(
    shape: Vec<u64>,
    chunk: Vec<u64>,
    data_type: zarrs::array::DataType,
    fill: impl Into<zarrs::array::builder::ArrayBuilderFillValue>,
    names: [&str; N],
) -> ArrayBuilder {
    let mut builder = ArrayBuilder::new(shape, chunk, data_type, fill);
    builder.chunk_key_encoding_default_separator(ChunkKeySeparator::Dot);
    builder.dimension_names(Some(names));
    builder
}
