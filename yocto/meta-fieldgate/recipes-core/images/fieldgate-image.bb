SUMMARY = "The fieldgate appliance: read-only root in two slots, data partition"
DESCRIPTION = "A root file system that is never written to while it runs, twice, and a partition that updates \
               never touch. Nobody can log in: there is no password, no console login and no SSH server in it."
BUGTRACKER = "https://example.invalid/fieldgate/issues"
SECTION = "base"
LICENSE = "MIT"
CVE_PRODUCT = "fieldgate"

inherit core-image

IMAGE_FEATURES += "read-only-rootfs"
# No default login: neither an empty root password nor anything else that development images bring.
IMAGE_FEATURES:remove = "allow-empty-password allow-root-login debug-tweaks empty-root-password post-install-logging \
                         serial-autologin-root ssh-server-dropbear ssh-server-openssh"

IMAGE_INSTALL = "\
    packagegroup-core-boot \
    fieldgate \
    fieldgate-boot \
    ca-certificates \
    can-utils \
    chrony \
    chronyc \
    e2fsprogs-e2fsck \
    iproute2 \
    kernel-devicetree \
    kernel-image \
    kernel-modules \
    rauc \
    tzdata-core \
    util-linux-mount \
"
# Machines bring a kernel of their own into /boot of each slot, so that it is updated with it.
IMAGE_LINGUAS = ""

# ext4 and not squashfs: GRUB and U-Boot read the kernel out of the slot.
IMAGE_FSTYPES = "ext4 wic.zst wic.bmap"
IMAGE_ROOTFS_EXTRA_SPACE = "0"
# Some machines set their own layout, and theirs has no slots.
FIELDGATE_WKS = "fieldgate-efi.wks.in"
FIELDGATE_WKS:rpi = "fieldgate-rpi.wks.in"
WKS_FILE:forcevariable = "${FIELDGATE_WKS}"

# GRUB's own configuration chooses the slot.
FIELDGATE_GRUB_CFG = "${THISDIR}/../../files/wic/fieldgate-grub.cfg"

# An account that can log in is a fault of the image, not of whoever flashes it.
fieldgate_check_logins[doc] = "Fails when somebody could log in to the image"
fieldgate_check_logins() {
    if cut -d: -f2 ${IMAGE_ROOTFS}${sysconfdir}/shadow | grep -qv '^[*!]'; then
        bbfatal "an account of the image has a password, or an empty one: nobody may log in"
    fi
    if ls ${IMAGE_ROOTFS}${sbindir}/sshd ${IMAGE_ROOTFS}${sbindir}/dropbear 2>/dev/null | grep -q .; then
        bbfatal "there is an SSH server in the image"
    fi
}
ROOTFS_POSTPROCESS_COMMAND += "fieldgate_check_logins"
