# The usual ways in; each recipe is a command that can be typed as well.

# Everything that can be run
default:
    @just --list

# The whole gateway on a simulated plant, page on http://127.0.0.1:8080
run *arguments:
    cargo run --release -- run --demo {{ arguments }}

# Every check there is; `just test quick` for the unit tests alone
test *arguments:
    tests/run {{ arguments }}

# Ten minutes of arbitrary bytes for a parser: tcp_frames, rtu_frames (Modbus), dbc_text, logs, transport, frame_decode
# (CAN). Needs cargo-fuzz (cargo install cargo-fuzz)
fuzz target="rtu_frames" seconds="600":
    #!/usr/bin/env bash
    set -euo pipefail
    if [ -e adapters/can/fuzz/fuzz_targets/{{ target }}.rs ]; then
        cd adapters/can
        more=(-max_len=8192 -malloc_limit_mb=64)
    else
        cd adapters/modbus
        more=(-max_len=1024 -malloc_limit_mb=1)
    fi
    seeds="fuzz/seeds/{{ target }}"
    [ {{ target }} = dbc_text ] && seeds=../../tests/cases/can/dbc
    mkdir -p fuzz/corpus/{{ target }}
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{ target }} fuzz/corpus/{{ target }} "$seeds" -- \
        -max_total_time={{ seconds }} "${more[@]}" -rss_limit_mb=512

# Formatting and lints
lint:
    cargo fmt --check
    cargo clippy --release --workspace --all-targets -- -D warnings

# Builds the page into gateway/ui/dist, which is committed
ui:
    cd gateway/ui && npm ci && npm run check && npm test && npm run build

# Modbus pollers side by side on one server: about 10 minutes, installs the others first
bench-modbus *arguments:
    tests/bench/modbus/run {{ arguments }}

# cantools and python-can beside ours on one core: a recorded truck, from the log to Arrow (about 2 minutes)
bench-can *arguments:
    tests/bench/can/run {{ arguments }}

# Journal and lake beside pyarrow, DuckDB, SQLite and JSON lines: about 10 minutes
bench-store *arguments:
    tests/bench/store/run {{ arguments }}

# A million queued messages drained into mosquitto: ours, rumqttc alone, paho and mosquitto_pub (about 5 minutes)
bench-forward *arguments:
    tests/bench/forward/run {{ arguments }}

# The Debian package of what is built: installed, run, upgraded, removed, purged in a fresh bookworm (root; about a minute)
package:
    tests/package/run

# A bootable image of the appliance, built, booted in QEMU and looked at (root; some minutes)
image:
    tests/image/run
