//! Names that wrappers of a module have changed.

use std::collections::BTreeMap;

use crate::Checkpoint;

/// What PyTorch's wrappers put into names, at the front or between modules: `torch.compile`, sharding,
/// checkpointing of activations, Lightning Fabric; and where a saved `nn.Module` keeps its parts.
const WRAPPERS: [&str; 7] = [
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_forward_module",
    "_modules",
    "_parameters",
    "_buffers",
];

impl Checkpoint {
    /// The same tensors under the names that the bare module's `state_dict` gives them, and what was taken
    /// out of their names.
    ///
    /// A module that was saved whole, with `torch.save(module)`, has the names of its attributes, of
    /// which this takes out `_modules`, `_parameters` and `_buffers`. Errors keep giving the full names.
    /// Where two names would become one, all stay as they are.
    ///
    /// ```
    /// use dsno_checkpoint::{Checkpoint, CheckpointFormat, HostTensor, StateDict, to_safetensors};
    ///
    /// let file = tempfile::NamedTempFile::new()?;
    /// let tensor = HostTensor { shape: vec![1], values: vec![0.5] };
    /// let compiled = StateDict::from([("_orig_mod.conv.bias".to_owned(), tensor)]);
    /// std::fs::write(file.path(), to_safetensors(&compiled))?;
    ///
    /// let file = Checkpoint::open(file.path(), CheckpointFormat::Safetensors)?;
    /// let (bare, removed) = file.without_wrappers();
    /// assert_eq!(bare.names().collect::<Vec<_>>(), ["conv.bias"]);
    /// assert_eq!(removed, ["_orig_mod"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without_wrappers(&self) -> (Self, Vec<&'static str>) {
        let removed: Vec<&str> = WRAPPERS
            .into_iter()
            .filter(|wrapper| {
                self.names()
                    .any(|name| name.split('.').any(|s| s == *wrapper))
            })
            .collect();
        let short = |name: &str| {
            let segments = name.split('.').filter(|s| !WRAPPERS.contains(s));
            segments.collect::<Vec<_>>().join(".")
        };
        let named = self
            .tensors
            .iter()
            .map(|(name, held)| (short(name), held.clone()));
        let tensors: BTreeMap<_, _> = named.collect();
        if removed.is_empty() || tensors.len() < self.tensors.len() {
            return (self.clone(), Vec::new());
        }
        let bare = Self {
            path: self.path.clone(),
            tensors,
            prefix: self.prefix.clone(),
        };
        (bare, removed)
    }
}
