//! The arrays of a store and their metadata.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zarrs::array::codec::{BytesCodec, Crc32cCodec};
use zarrs::array::{Array, ArrayBuilder, ArrayMetadataOptions, ChunkKeySeparator, data_type};
use zarrs::array::{BytesToBytesCodecTraits, CodecChain};
use zarrs::filesystem::{FilesystemStore, FilesystemStoreOptions};
use zarrs::group::{Group, GroupBuilder};
use zarrs::storage::store::MemoryStore;
use zarrs::storage::{ListableStorageTraits, ReadableStorageTraits};

use super::{Dtype, FileArray, StoreError, StoreSpec, ZarrError};
use crate::atomic::{self, WriteError};

/// Version of the layout; a reader refuses others.
const FORMAT: u32 = 1;

/// Attributes of the group.
#[derive(Serialize, Deserialize)]
struct Attributes {
    dsno_format: u32,
    #[serde(flatten)]
    spec: StoreSpec,
}

pub(super) struct Opened {
    pub(super) spec: StoreSpec,
    pub(super) states: FileArray,
    pub(super) labels: FileArray,
    pub(super) sample_codec: CodecChain,
}

/// Writes everything but the shards; the group's own metadata last, so that a store that can be
/// opened is complete up to its shards.
pub(super) fn create(path: &Path, spec: &StoreSpec) -> Result<(), StoreError> {
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
fn sample_codec(spec: &StoreSpec) -> Result<CodecChain, ZarrError> {
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

/// Opens the arrays of a store and compares them with its attributes.
pub(super) fn open(path: &Path) -> Result<Opened, StoreError> {
    let root = path.join("zarr.json");
    if let Err(source) = fs::metadata(&root) {
        return Err(match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                StoreError::NotAStore {
                    path: path.to_path_buf(),
                }
            }
            _ => StoreError::Read { path: root, source },
        });
    }
    open_arrays(path)
        .map_err(|error| error.at(path))?
        .check(path)
}

struct Unchecked {
    attributes: Map<String, Value>,
    states: FileArray,
    labels: FileArray,
    manifest: FileArray,
    times: Vec<f64>,
    log_snr: Vec<f64>,
}

fn open_arrays(path: &Path) -> Result<Unchecked, ZarrError> {
    let mut options = FilesystemStoreOptions::default();
    options.file_handle_cache_size(64);
    let files = Arc::new(FilesystemStore::new_with_options(path, options)?);
    let attributes = Group::open(files.clone(), "/")?.attributes().clone();
    let array = |name| Array::open(files.clone(), name);
    let reals = |name| {
        let array = array(name)?;
        Ok::<Vec<f64>, ZarrError>(array.retrieve_array_subset(&array.subset_all())?)
    };
    Ok(Unchecked {
        attributes,
        states: array("/states")?,
        labels: array("/labels")?,
        manifest: array("/sha256")?,
        times: reals("/times")?,
        log_snr: reals("/log_snr")?,
    })
}

impl Unchecked {
    fn check(self, path: &Path) -> Result<Opened, StoreError> {
        let Self {
            attributes,
            states,
            labels,
            manifest,
            times,
            log_snr,
        } = self;
        let attributes: Attributes =
            serde_json::from_value(Value::Object(attributes)).map_err(|source| {
                StoreError::Attributes {
                    path: path.to_path_buf(),
                    source,
                }
            })?;
        let spec = attributes.spec;
        if attributes.dsno_format != FORMAT {
            let problem = "has another version";
            return Err(StoreError::Spec {
                field: "dsno_format",
                problem,
            });
        }
        spec.validate()?;
        let memory = Arc::new(MemoryStore::new());
        let expected = |array: Result<Array<MemoryStore>, ZarrError>| {
            array
                .map(|array| fingerprint(&array))
                .map_err(|error| error.at(path))
        };
        let shards = spec.shards() as u64;
        let problems = [
            (
                "states",
                fingerprint(&states) != expected(self::states(&spec, &memory))?,
            ),
            (
                "labels",
                fingerprint(&labels) != expected(self::labels(&spec, &memory))?,
            ),
            ("sha256", manifest.shape() != [shards, 32]),
            ("times", times != spec.times),
            ("log_snr", log_snr != spec.log_snr),
        ];
        if let Some((array, _)) = problems.into_iter().find(|&(_, differs)| differs) {
            return Err(StoreError::Array {
                path: path.to_path_buf(),
                array,
            });
        }
        let sample_codec = sample_codec(&spec).map_err(|error| error.at(path))?;
        Ok(Opened {
            spec,
            states,
            labels,
            sample_codec,
        })
    }
}

/// What must agree: shape, shard, type of element and names of files.
fn fingerprint<S: ?Sized>(array: &Array<S>) -> (Vec<u64>, Vec<u64>, String, String) {
    let zeros = vec![0; array.dimensionality()];
    let chunk = array
        .chunk_shape(&zeros)
        .map(|shape| shape.iter().map(|n| n.get()).collect());
    let data_type = format!("{:?}", array.data_type());
    let key = array.chunk_key(&zeros).as_str().to_owned();
    (
        array.shape().to_vec(),
        chunk.unwrap_or_default(),
        data_type,
        key,
    )
}
