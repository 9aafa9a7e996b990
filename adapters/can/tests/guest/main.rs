//! Real SocketCAN: the live source in a virtual machine with Debian's own kernel, a virtual bus and
//! two controllers on one wire.
//!
//! `host` boots the machine once and keeps what it tells; this very program is its one program, and
//! `inside` is what it does there. The tests ask what was told. A machine that cannot be started
//! fails them: `tests/run peers` installs what it takes. Only `FIELDGATE_GUEST=skip` lets them pass
//! without one, and says so.
//!
//! | variable | meaning |
//! |---|---|
//! | `FIELDGATE_GUEST` | `skip` passes without a machine |
//! | `FIELDGATE_GUEST_RATE_SECONDS` | how long the fastest rate is held; 10 unless set |
//! | `FIELDGATE_PEERS` | folder with the kernel in `guest`, instead of `target/peers` |

#[cfg(test)]
mod cases;
#[cfg(test)]
mod digest;
#[cfg(test)]
mod host;
#[cfg(test)]
mod inside;
#[cfg(test)]
mod logs;
