FILESEXTRAPATHS:prepend:fieldgate := "${THISDIR}/files:"

# What speaks to the boot loader of the machine: U-Boot on a Raspberry Pi, GRUB elsewhere.
FIELDGATE_RAUC_BOOT:fieldgate = "bootloader=grub\ngrubenv=/boot/loader/EFI/BOOT/grubenv"
FIELDGATE_RAUC_BOOT:rpi = "bootloader=uboot"

do_install:prepend:fieldgate() {
    sed -i -e "s|@MACHINE@|${MACHINE}|" -e "s|@BOOT@|${FIELDGATE_RAUC_BOOT}|" ${UNPACKDIR}/system.conf
}
