# nooelint: oelint.file.underscores,oelint.var.mandatoryvar.SRC_URI
SUMMARY = "Signed update of the fieldgate appliance"
DESCRIPTION = "The root file system of fieldgate-image as a RAUC bundle, checked block by block as it is written."
HOMEPAGE = "https://example.invalid/fieldgate"
BUGTRACKER = "https://example.invalid/fieldgate/issues"
SECTION = "base"
LICENSE = "MIT"
CVE_PRODUCT = "fieldgate"

inherit bundle

RAUC_BUNDLE_COMPATIBLE = "fieldgate-${MACHINE}"
RAUC_BUNDLE_VERSION = "${DISTRO_VERSION}"
RAUC_BUNDLE_DESCRIPTION = "fieldgate ${DISTRO_VERSION} for ${MACHINE}"
# verity: a changed payload is noticed while it is written; with the older format only before.
RAUC_BUNDLE_FORMAT = "verity"
RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "fieldgate-image"
RAUC_SLOT_rootfs[fstype] = "ext4"
RAUC_KEY_FILE = "${FIELDGATE_SIGN_KEY}"
RAUC_CERT_FILE = "${FIELDGATE_SIGN_CERT}"

python () {
    if not d.getVar('FIELDGATE_SIGN_KEY') or not d.getVar('FIELDGATE_SIGN_CERT'):
        raise bb.parse.SkipRecipe('set FIELDGATE_SIGN_KEY and FIELDGATE_SIGN_CERT to build an update')
}
