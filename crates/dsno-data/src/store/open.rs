//! Opening a store, and checking that it is what it says.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use zarrs::array::{Array, CodecChain};
use zarrs::filesystem::{FilesystemStore, FilesystemStoreOptions};
use zarrs::group::Group;
use zarrs::storage::store::MemoryStore;

use super::layout::{self, Attributes, FORMAT};
use super::{FileArray, StoreError, StoreSpec, ZarrError};

pub(super) struct Opened {
    pub(super) spec: StoreSpec,
    pub(super) states: FileArray,
    pub(super) labels: FileArray,
    pub(super) sample_codec: CodecChain,
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

/// What the attributes of a store say, whatever its arrays are; `None` if they cannot be read.
pub(super) fn spec(path: &Path) -> Option<StoreSpec> {
    let group: Value = serde_json::from_slice(&fs::read(path.join("zarr.json")).ok()?).ok()?;
    let attributes: Attributes = serde_json::from_value(group.get("attributes")?.clone()).ok()?;
    (attributes.dsno_format == FORMAT && attributes.spec.validate().is_ok())
        .then_some(attributes.spec)
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
                fingerprint(&states) != expected(layout::states(&spec, &memory))?,
            ),
            (
                "labels",
                fingerprint(&labels) != expected(layout::labels(&spec, &memory))?,
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
        let sample_codec = layout::sample_codec(&spec).map_err(|error| error.at(path))?;
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
