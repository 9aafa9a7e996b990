use socket2::SockRef;
use tokio::net::TcpListener;

use super::{connect, dial, split};
use crate::config::Transport;

#[test]
fn a_host_has_the_port_that_is_given_or_the_standard_s() {
    assert_eq!(split("10.0.0.5:1502", 502), ("10.0.0.5", 1502));
    assert_eq!(split("10.0.0.5", 502), ("10.0.0.5", 502));
    assert_eq!(split("plc.hall:802", 502), ("plc.hall", 802));
    assert_eq!(split("[fe80::1]:802", 502), ("fe80::1", 802));
    assert_eq!(split("fe80::1", 502), ("fe80::1", 502));
    assert_eq!(split("[::1]", 502), ("::1", 502));
}

#[tokio::test]
async fn a_connection_sends_at_once_and_probes_a_silent_peer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let stream = connect(&host, 502).await.unwrap();
    let socket = SockRef::from(&stream);
    assert!(stream.nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap().as_secs(), 15);
    assert_eq!(socket.tcp_user_timeout().unwrap().unwrap().as_secs(), 30);
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_name_say_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let told = |host: &str| {
        let transport = Transport::Tcp { host: host.to_owned() };
        async move { dial(&transport, 1).await.unwrap_err().to_string() }
    };
    assert!(told(&host).await.contains("nothing listens on port"), "{}", told(&host).await);
    let unknown = told("no such name:502").await;
    assert!(unknown.contains("leads nowhere") && unknown.contains("check the name"), "{unknown}");
}
