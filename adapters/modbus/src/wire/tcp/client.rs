//! The public client of `tokio-modbus`, so that its readers and writers work on this engine.

use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;
use tokio_modbus::client::Client;
use tokio_modbus::slave::SlaveContext;
use tokio_modbus::{ExceptionCode, Request, Response, Slave};

use super::TcpWire;
use crate::wire::{Fault, Turn};

#[async_trait]
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client for TcpWire<S> {
    async fn call(&mut self, request: Request<'_>) -> tokio_modbus::Result<Response> {
        let turn = Turn { unit: self.unit, deadline: Instant::now() + self.timeout };
        match self.ask(turn, &request).await {
            Ok(response) => Ok(Ok(response)),
            Err(Fault::Exception(code)) => Ok(Err(ExceptionCode::new(code))),
            Err(fault) => Err(io::Error::new(fault.io_kind(), fault).into()),
        }
    }

    async fn disconnect(&mut self) -> io::Result<()> {
        self.broken = true;
        self.stream.shutdown().await
    }
}

impl<S> SlaveContext for TcpWire<S> {
    fn set_slave(&mut self, slave: Slave) {
        self.unit = slave.into();
    }
}
