//! dsno-train
