FILESEXTRAPATHS:prepend:fieldgate := "${THISDIR}/files:"
