SUMMARY = "How the fieldgate appliance speaks to its boot loader"
DESCRIPTION = "Mounts the boot loader's partition and says where it keeps what it counts."
HOMEPAGE = "https://example.invalid/fieldgate"
BUGTRACKER = "https://example.invalid/fieldgate/issues"
SECTION = "base"
LICENSE = "MIT"
CVE_PRODUCT = "fieldgate"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = "file://boot-loader.mount \
           file://fw_env.config \
           "

S = "${UNPACKDIR}"

inherit systemd

SYSTEMD_SERVICE:${PN} = "boot-loader.mount"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -D -m 0644 ${UNPACKDIR}/boot-loader.mount ${D}${systemd_system_unitdir}/boot-loader.mount
    install -D -m 0644 ${UNPACKDIR}/fw_env.config ${D}${sysconfdir}/fw_env.config
    install -d -m 0755 ${D}/boot/loader
}

FILES:${PN} += "/boot/loader ${systemd_system_unitdir}"

RDEPENDS:${PN} = "grub-editenv"
RDEPENDS:${PN}:rpi = "libubootenv-bin"
