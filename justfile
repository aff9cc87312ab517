# Every habit of this project. `just --list` shows them; none of them needs `just` to be installed.

# Arguments stay whole: `"$@"` keeps blanks and quotes.
set positional-arguments

# Runs an experiment: `just experiment fashion`, `just experiment imagenet64 --device cuda`.
[group: 'run']
experiment NAME *ARGS:
    cargo run --release --package dsno -- experiment "$@"

# Draws pictures with a model folder: `just sample models/fashion-dsno --count 64 --png out`.
[group: 'run']
sample MODEL *ARGS:
    cargo run --release --package dsno -- sample --model "$@"

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
    cargo run --release --package dsno -- experiment "mini/$1" --out target/mini

# Times what is hot and sets its ratios against benches/baseline.json: `just bench`, `just bench --bench kernels`.
[group: 'test']
bench *ARGS:
    python3 benches/compare.py "$@"

# Sets whole steps against PyTorch: `just against-pytorch TORCH/bin/python REFERENCE/bench.py`.
[group: 'test']
against-pytorch PYTHON BENCH *ARGS:
    python="$1" bench="$2" && shift 2 && python3 crates/dsno-train/benches/against_pytorch.py --python "$python" --bench "$bench" "$@"

[group: 'check']
fmt:
    cargo fmt --all --check

[group: 'check']
typos:
    bash .ci/tool typos

# Licences, sources and double versions of dependencies.
[group: 'check']
deny:
    bash .ci/tool cargo-deny --locked check --hide-inclusion-graph licenses bans sources

# Known vulnerabilities of dependencies; fetches the RustSec database.
[group: 'check']
advisories:
    bash .ci/tool cargo-deny --locked check advisories

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
