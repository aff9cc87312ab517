//! dsno-operator
