//! A serial port under tokio: opened exclusively, set up, and told what to do when it is not.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serial2::rs4xx::Rs485Config;
use serial2::{CharSize, FlowControl, KeepSettings, SerialPort, StopBits};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;

use crate::config::{Parity, Rs485, Serial};

/// An open serial port, or a pseudo terminal.
///
/// Flushing it waits until the last byte is out (`tcdrain`).
#[derive(Debug)]
pub(super) struct Port {
    file: AsyncFd<File>,
    flushing: Option<JoinHandle<io::Result<()>>>,
}

impl Port {
    /// Opens and sets up a port; nobody else who asks for exclusive use gets it meanwhile
    /// (`flock`, as pyserial, picocom and minicom use it).
    ///
    /// # Errors
    /// What is in the way, with the remedy.
    pub(super) fn open(path: &Path, serial: &Serial) -> io::Result<Self> {
        let mut port = SerialPort::open(path, KeepSettings).map_err(|err| explained(&err))?;
        set_up(&mut port, serial, is_pseudo(path))?;
        if serial.rs485 == Rs485::Kernel {
            port.set_rs4xx_mode(Rs485Config::new()).map_err(|err| {
                told(&err, "its driver has no RS-485 mode; set rs485 = \"adapter\"")
            })?;
        }
        port.discard_buffers()?;
        let file = File::from(OwnedFd::from(port));
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let busy = "another program uses it; stop that one";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, busy));
            }
            Err(TryLockError::Error(err)) => return Err(err),
        }
        Ok(Self { file: watched(file)?, flushing: None })
    }
}

#[expect(
    deprecated,
    reason = "its successor asks for what a `File` promises by its type, unsafely"
)]
fn watched(file: File) -> io::Result<AsyncFd<File>> {
    AsyncFd::new(file)
}

fn set_up(port: &mut SerialPort, serial: &Serial, is_pseudo: bool) -> io::Result<()> {
    let mut settings = port
        .get_configuration()
        .map_err(|err| told(&err, "it is not a serial port; check `port`"))?;
    settings.set_raw();
    settings.set_flow_control(FlowControl::None);
    settings
        .set_baud_rate(serial.baud)
        .map_err(|err| told(&err, "its driver does not offer this `baud`"))?;
    settings.set_char_size(if serial.data_bits == 7 { CharSize::Bits7 } else { CharSize::Bits8 });
    settings.set_stop_bits(if serial.stop_bits == 2 { StopBits::Two } else { StopBits::One });
    settings.set_parity(match serial.parity {
        Parity::None => serial2::Parity::None,
        Parity::Even => serial2::Parity::Even,
        Parity::Odd => serial2::Parity::Odd,
    });
    match port.set_configuration(&settings) {
        // A pseudo terminal has no line: parity and the like are not kept.
        Err(_) if is_pseudo => Ok(()),
        set => set.map_err(|err| {
            told(&err, "its driver does not offer this `baud`, `parity` or `stop_bits`")
        }),
    }
}

fn is_pseudo(path: &Path) -> bool {
    std::fs::canonicalize(path).is_ok_and(|path| path.starts_with("/dev/pts"))
}

fn explained(err: &io::Error) -> io::Error {
    let kind = err.kind();
    if kind == io::ErrorKind::NotFound {
        let remedy = "there is no such port: plug the adapter in, or take its name from \
                      /dev/serial/by-path";
        return told(err, remedy);
    }
    if kind == io::ErrorKind::PermissionDenied {
        return told(err, "no permission: add the user of the gateway to the group dialout");
    }
    if kind == io::ErrorKind::ResourceBusy {
        return told(err, "another program uses it; stop that one");
    }
    told(err, "not a serial port, or its adapter fails: check `port` and the driver")
}

fn told(err: &io::Error, remedy: &str) -> io::Error {
    io::Error::new(err.kind(), format!("{remedy} ({err})"))
}

impl AsyncRead for Port {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.file.poll_read_ready(context)?);
            let free = room.initialize_unfilled();
            if let Ok(read) = ready.try_io(|file| file.get_ref().read(free)) {
                room.advance(read?);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Port {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.file.poll_write_ready(context)?);
            if let Ok(written) = ready.try_io(|file| file.get_ref().write(bytes)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flushing.is_none() {
            let file = self.file.get_ref().try_clone()?;
            let port = SerialPort::from(OwnedFd::from(file));
            self.flushing = Some(tokio::task::spawn_blocking(move || port.flush()));
        }
        let Some(flushing) = self.flushing.as_mut() else { return Poll::Ready(Ok(())) };
        let flushed = ready!(Pin::new(flushing).poll(context));
        self.flushing = None;
        Poll::Ready(flushed.unwrap_or_else(|err| Err(io::Error::other(err))))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

#[cfg(test)]
mod tests;
