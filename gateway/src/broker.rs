//! The local MQTT broker: rumqttd inside the process, for the demo and for machines on the LAN.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

/// A message on the local broker, bytes.
const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// Messages of one subscriber on their way.
const INFLIGHT_MAX: usize = 100;

/// Starts a broker on its own threads; it runs until the process ends.
///
/// # Errors
/// When the address is taken, or the operating system gives no thread.
pub fn start(listen: SocketAddr) -> anyhow::Result<()> {
    // rumqttd reports a taken address only in its log: find out before.
    drop(TcpListener::bind(listen).map_err(|err| {
        anyhow::anyhow!(
            "local broker: {listen} cannot be used: {err}; stop the other program, or set \
             `local_broker.listen` to another port"
        )
    })?);
    let config = config(listen);
    thread::Builder::new().name("broker".to_owned()).spawn(move || {
        if let Err(err) = Broker::new(config).start() {
            tracing::error!(%listen, %err, "local broker ended");
        }
    })?;
    Ok(())
}

fn config(listen: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: PAYLOAD_BYTES_MAX,
        max_inflight_count: INFLIGHT_MAX,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "local".to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: 100,
        max_outgoing_packet_count: 200,
        // What slow subscribers may lag behind: 8 MiB per topic, three times the demo's history.
        max_segment_size: 256 << 10,
        max_segment_count: 32,
        ..RouterConfig::default()
    };
    Config {
        id: 0,
        router,
        v4: Some(HashMap::from([("local".to_owned(), server)])),
        ..Config::default()
    }
}
