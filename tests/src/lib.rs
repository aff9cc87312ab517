//! What no single crate can test: dependencies between crates. Golden numbers are in `golden/`.
