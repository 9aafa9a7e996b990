//! What goes wrong on a simulated disk.

/// Faults of a [`SimDisk`](super::SimDisk). None by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The power goes at the operation after so many more: it ends somewhere in the middle, and
    /// every later one fails until the disk is switched on again.
    pub operations_until_cut: Option<u64>,
    /// Of a thousand writes, so many fail with a part of their bytes written.
    pub writes_fail_permille: u32,
    /// Of a thousand syncs, so many fail.
    pub syncs_fail_permille: u32,
    /// Every sync fails.
    pub syncs_fail: bool,
    /// Syncs succeed and do nothing: a disk that lies, or a program that forgot them.
    pub syncs_do_nothing: bool,
}
