//! dsno-data
