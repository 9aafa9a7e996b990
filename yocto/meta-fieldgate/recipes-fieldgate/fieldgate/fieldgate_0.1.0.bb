SUMMARY = "Industrial gateway: Modbus and CAN into Parquet and MQTT"
DESCRIPTION = "Reads Modbus devices and CAN buses, makes every sample durable, writes Parquet, watches groups \
               of signals, forwards over MQTT and shows all of it on a local page."
HOMEPAGE = "https://example.invalid/fieldgate"
BUGTRACKER = "https://example.invalid/fieldgate/issues"
SECTION = "net"
LICENSE = "MIT | Apache-2.0"
CVE_PRODUCT = "fieldgate"
LIC_FILES_CHKSUM = "file://LICENSE-MIT;md5=51583d3a894a6e0302f0829da13a6e71 \
                    file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57"

# yocto/prepare makes both from one commit: the sources, and the crates of its Cargo.lock with their checksums.
require fieldgate-crates.inc
SRC_URI += "file://fieldgate-${PV}.tar.gz"

S = "${UNPACKDIR}/fieldgate-${PV}"

inherit cargo systemd useradd

# One program of the workspace; the tests of it are built by nobody here.
CARGO_BUILD_FLAGS += "--package gateway --bin fieldgate"
# The profile `image` is everything optimised. cargo puts its results into a folder of that name.
BUILD_MODE = "--profile image"
BUILD_DIR = "image"

SYSTEMD_SERVICE:${PN} = "fieldgate.service fieldgate-clock.service fieldgate-confirm.service data.mount \
                         etc-fieldgate.mount var-lib-fieldgate.mount"

USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system fieldgate"
USERADD_PARAM:${PN} = "--system --no-create-home --home-dir ${localstatedir}/lib/fieldgate --shell /sbin/nologin \
                       --gid fieldgate --groups dialout fieldgate"

# Only the program, then what makes a machine the appliance: the same files that the Debian package has.
do_install() {
    install -D -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/fieldgate ${D}${bindir}/fieldgate
    ${S}/gateway/packaging/appliance/install ${D}
}

FILES:${PN} += "\
    ${nonarch_libdir}/fieldgate \
    ${nonarch_libdir}/modules-load.d \
    ${nonarch_libdir}/sysctl.d \
    ${nonarch_libdir}/systemd \
    ${nonarch_libdir}/sysusers.d \
    ${nonarch_libdir}/tmpfiles.d \
    ${nonarch_libdir}/udev \
    ${localstatedir}/lib/fieldgate \
    ${sysconfdir}/chrony \
    ${sysconfdir}/fieldgate \
    ${sysconfdir}/systemd/system-generators \
    /data \
"
RDEPENDS:${PN} += "chrony chronyc rauc systemd"
