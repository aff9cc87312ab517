//! dsno-eval
