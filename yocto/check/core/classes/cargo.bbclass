# Stands in for the class of that name: what of it our recipe changes, as the release has it.
BUILD_MODE = "--release"
BUILD_DIR = "release"
CARGO_BUILD_FLAGS = "-v --frozen --target ${RUST_HOST_SYS} ${BUILD_MODE} --manifest-path=${S}/Cargo.toml"
CARGO_TARGET_SUBDIR = "${RUST_HOST_SYS}/${BUILD_DIR}"
