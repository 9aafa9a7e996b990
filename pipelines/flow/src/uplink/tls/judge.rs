//! The judge of a broker's certificate: the library's, with the name and the time we say.

use std::sync::{Arc, Mutex, PoisonError};

use signals::{Clock, Timestamp};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::validity;

/// Asks the library for its verdict; changes none.
pub(super) struct Judge {
    verifier: Arc<WebPkiServerVerifier>,
    /// The MQTT library knows the broker by its address; the certificate may say another name.
    name: ServerName<'static>,
    clock: Arc<dyn Clock>,
    /// Last moment of the certificate shown last.
    seen: Arc<Mutex<Option<Timestamp>>>,
}

impl Judge {
    pub(super) fn new(
        verifier: Arc<WebPkiServerVerifier>,
        name: ServerName<'static>,
        clock: Arc<dyn Clock>,
        seen: Arc<Mutex<Option<Timestamp>>>,
    ) -> Self {
        Self { verifier, name, clock, seen }
    }
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _by_address: &ServerName<'_>,
        ocsp_response: &[u8],
        _system: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let not_after = validity::not_after(end_entity);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = not_after;
        let seconds = u64::try_from(self.clock.now().micros() / 1_000_000).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let shown = (end_entity, intermediates);
        self.verifier.verify_server_cert(shown.0, shown.1, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
