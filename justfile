# Every habit of this project. `just --list` shows them; none of them needs `just` to be installed.

# Runs an experiment: `just experiment fashion`, `just experiment imagenet64 --device cuda`.
[group: 'run']
experiment NAME *ARGS:
    cargo run --release --package dsno -- experiment {{NAME}} {{ARGS}}

# Draws pictures with a model folder: `just sample models/fashion-dsno --count 64 --png out`.
[group: 'run']
sample MODEL *ARGS:
    cargo run --release --package dsno -- sample --model {{MODEL}} {{ARGS}}

# Lists data sets and whether their files are there.
[group: 'run']
datasets:
    cargo run --release --package dsno -- datasets

# Runs every test, examples of the documentation included.
[group: 'test']
test:
    cargo test --release --workspace

# Goes every stage of the main job in about a minute.
[group: 'test']
mini NAME="fashion":
    cargo run --release --package dsno -- experiment mini/{{NAME}} --out target/mini

# Times what is hot, in ratios: operations, whole steps, solvers (docs/performance.md).
[group: 'test']
bench:
    cargo bench --workspace --bench '*' --no-fail-fast

# Sets whole steps against PyTorch: `just against-pytorch TORCH/bin/python REFERENCE/bench.py`.
[group: 'test']
against-pytorch PYTHON BENCH *ARGS:
    python3 crates/dsno-train/benches/against_pytorch.py --python {{PYTHON}} --bench {{BENCH}} {{ARGS}}

[group: 'check']
fmt:
    cargo fmt --all --check

[group: 'check']
lint:
    cargo clippy --release --workspace --all-targets -- -D warnings

# Builds the documentation; broken links are errors.
[group: 'check']
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

# What continuous integration runs.
[group: 'check']
ci:
    bash .ci/run
