//! Live values over a WebSocket: the page says which signals it shows, the gateway sends what
//! has changed of them, coalesced, newest wins. A slow page never holds anybody up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use bytes::{BufMut, BytesMut};
use serde::Deserialize;
use serde_json::json;

use super::{Shared, status};
use crate::access::Caller;
use crate::config::Reading;
use crate::live::Sample;
use crate::view::View;

/// "LFG1", little-endian.
const MAGIC: u32 = 0x3147_464C;
/// Everything a subscription shows is sent again this often.
const KEYFRAME: Duration = Duration::from_secs(10);
/// The status goes out this often.
const STATUS: Duration = Duration::from_secs(1);
/// Subscriptions of one connection.
const SUBSCRIPTIONS_MAX: usize = 16;
/// Signals of one subscription.
const SELECTED_MAX: usize = 20_000;
/// Close code: the session or token of this connection is no longer known.
const NO_LONGER: u16 = 4401;
/// A message a page may send.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

#[derive(Deserialize)]
struct Wish {
    id: u32,
    sel: Vec<u32>,
    max_hz: Option<f64>,
}

struct Subscription {
    selected: Vec<u32>,
    interval: Duration,
    sent: Instant,
    keyframe: Option<Instant>,
    seen: u64,
    seq: u32,
}

/// Opens the socket.
pub(super) async fn open(
    State(view): State<Shared>,
    caller: Option<Extension<Caller>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let caller = caller.map(|Extension(caller)| caller);
    let upgrade = upgrade.max_message_size(REQUEST_BYTES_MAX);
    upgrade.on_upgrade(move |socket| serve(socket, view, caller))
}

/// Whether whoever opened the socket may still read.
async fn still_may(view: &Shared, caller: Option<&Caller>) -> bool {
    let (Reading::Login, Some(caller)) = (view.access.reading, caller.cloned()) else {
        return view.access.reading == Reading::Open;
    };
    let access = Arc::clone(&view.access);
    let known = tokio::task::spawn_blocking(move || access.still(&caller)).await;
    matches!(known, Ok(Ok(true)))
}

async fn serve(mut socket: WebSocket, view: Shared, caller: Option<Caller>) {
    let mut subscriptions: BTreeMap<u32, Subscription> = BTreeMap::new();
    let mut status_sent: Option<Instant> = None;
    let mut events_seen = view.live.events(1).first().map_or(0, |event| event.number);
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let mut messages = Vec::new();
                if status_sent.is_none_or(|sent| sent.elapsed() >= STATUS) {
                    if !still_may(&view, caller.as_ref()).await {
                        let reason = "not_logged_in".into();
                        let close = CloseFrame { code: NO_LONGER, reason };
                        // Whether it is heard or not: nothing more is sent.
                        let _closed = socket.send(Message::Close(Some(close))).await;
                        return;
                    }
                    status_sent = Some(Instant::now());
                    messages.push(text(&json!({ "status": status::of(&view) })));
                }
                for event in view.live.events_after(events_seen) {
                    events_seen = event.number;
                    messages.push(text(&json!({ "event": event })));
                }
                for (id, subscription) in &mut subscriptions {
                    subscription.due(*id, &view, &mut messages);
                }
                for message in messages {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
            }
            received = socket.recv() => match received {
                Some(Ok(Message::Text(wish))) => {
                    if let Ok(wish) = serde_json::from_str::<Wish>(&wish) {
                        subscribe(&mut subscriptions, wish);
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
            },
        }
    }
}

fn subscribe(subscriptions: &mut BTreeMap<u32, Subscription>, wish: Wish) {
    let Wish { id, mut sel, max_hz } = wish;
    if sel.is_empty() {
        subscriptions.remove(&id);
        return;
    }
    if subscriptions.len() >= SUBSCRIPTIONS_MAX && !subscriptions.contains_key(&id) {
        return;
    }
    sel.truncate(SELECTED_MAX);
    let hz = max_hz.unwrap_or(5.0).clamp(0.1, 10.0);
    let interval = Duration::from_secs_f64(1.0 / hz);
    let seq = subscriptions.get(&id).map_or(0, |before| before.seq);
    let long_ago = Instant::now().checked_sub(interval).unwrap_or_else(Instant::now);
    let subscription =
        Subscription { selected: sel, interval, sent: long_ago, keyframe: None, seen: 0, seq };
    subscriptions.insert(id, subscription);
}

impl Subscription {
    /// Adds a frame if one is due and there is something to tell.
    fn due(&mut self, id: u32, view: &View, messages: &mut Vec<Message>) {
        let is_key = self.keyframe.is_none_or(|sent| sent.elapsed() >= KEYFRAME);
        let changes = view.live.changes();
        if self.sent.elapsed() < self.interval || (!is_key && changes == self.seen) {
            return;
        }
        let since = if is_key { 0 } else { self.seen };
        let samples = view.live.samples(&self.selected, since);
        self.sent = Instant::now();
        self.seen = changes;
        if is_key {
            self.keyframe = Some(self.sent);
        }
        if samples.is_empty() && !is_key {
            return;
        }
        self.seq = self.seq.wrapping_add(1);
        messages.push(Message::Binary(frame(id, self.seq, view, &samples).freeze()));
        for (signal, sample) in samples {
            if let Some(value) = sample.text {
                messages.push(text(&json!({ "text": { "id": signal, "value": &*value } })));
            }
        }
    }
}

/// The binary frame: see the page's reader for the same layout.
#[expect(clippy::cast_precision_loss, reason = "milliseconds fit 53 bits for 285,000 years")]
fn frame(id: u32, seq: u32, view: &View, samples: &[(u32, Sample)]) -> BytesMut {
    let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let mut out = BytesMut::with_capacity(24 + samples.len() * 24);
    out.put_u32_le(MAGIC);
    out.put_u32_le(id);
    out.put_u32_le(seq);
    out.put_u32_le(count);
    out.put_f64_le(view.clock.now().micros() as f64 / 1_000.0);
    for (signal, _) in samples {
        out.put_u32_le(*signal);
    }
    for (_, sample) in samples {
        out.put_f64_le(sample.value);
    }
    for (_, sample) in samples {
        out.put_u8(sample.class.code());
    }
    pad(&mut out);
    for (_, sample) in samples {
        out.put_u16_le(sample.reason.code());
    }
    pad(&mut out);
    for (_, sample) in samples {
        out.put_f64_le(sample.ts.micros() as f64 / 1_000.0);
    }
    out
}

fn pad(out: &mut BytesMut) {
    while !out.len().is_multiple_of(4) {
        out.put_u8(0);
    }
}

fn text(value: &serde_json::Value) -> Message {
    Message::Text(value.to_string().into())
}
