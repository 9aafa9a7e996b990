// What the page knows of the gateway: the one place where fetched and live facts meet.
//
// G-1 Ages are measured by the gateway's clock, never by the clock of the browser's computer.
// G-2 Signal ids are forgotten when the gateway restarts (`started_us` changes).
// G-3 `version` changes at most once per animation frame however many samples arrive.

import { account } from "./account.svelte";
import {
  fetchEvents,
  fetchReasons,
  fetchSignals,
  fetchStatus,
  type GatewayEvent,
  type Signal,
  type Status,
} from "./api";
import { showTimesIn } from "./format";
import type { Frame } from "./live/frame";
import { Link } from "./live/link";
import { Values } from "./live/values";

/** Out of hearing for this long, the page says so and greys its values. */
const LOST_MS = 2_000;
/** Steps of the gateway's clock larger than this are followed at once, smaller ones smoothly. */
const CLOCK_STEP_MS = 500;
const EVENTS_MAX = 200;

/** The page's subscriptions on the live link. */
export const SUBSCRIPTION = { rows: 1, tiles: 2, pens: 3, watched: 4 } as const;

class Gateway {
  status = $state.raw<Status | null>(null);
  signals = $state.raw<Signal[]>([]);
  /** Whether the list of signals has been read at least once. */
  signalsRead = $state(false);
  reasons = $state.raw<Record<string, string>>({});
  events = $state.raw<GatewayEvent[]>([]);
  eventsRead = $state(false);
  /** Changes when new samples are in `values`. */
  version = $state(0);
  /** Gateway time, ms, once a second: ages depend on it. */
  secondMs = $state(0);
  lost = $state(false);
  /** Gateway time of the last word from it, ms. */
  heardMs = $state(0);
  /** Counts reconnects: screens fetch again what they fetched once. */
  opens = $state(0);

  readonly values = new Values();
  private readonly byPath = new Map<string, Signal>();
  private readonly listeners = new Set<(frame: Frame) => void>();
  private clockAheadMs = Date.now() - performance.now();
  private clockKnown = false;
  private bumpAsked = false;
  private startedUs = 0;
  private signalsAsked = false;
  private catalogTurns = 0;
  private readonly link = new Link(
    `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`,
    {
      frame: (frame) => this.takeFrame(frame),
      message: (message) => this.takeMessage(message),
      opened: () => this.catchUp(),
      closed: () => void account.read(),
      watched: (quietMs) => this.watch(quietMs),
    },
  );

  start(): void {
    this.secondMs = this.nowMs();
    setInterval(() => (this.secondMs = this.nowMs()), 1000);
    document.addEventListener("visibilitychange", () => this.values.pause(this.values.ids()));
    this.link.start();
  }

  /** Listens to the gateway, or, while nobody is logged in, does not. */
  listen(wanted: boolean): void {
    if (wanted) void fetchStatus().then((status) => this.takeStatus(status), () => undefined);
    this.link.want(wanted);
  }

  /** The gateway's time now, ms since the epoch. */
  nowMs(): number {
    return performance.now() + this.clockAheadMs;
  }

  signalAt(path: string): Signal | undefined {
    return this.byPath.get(path);
  }

  subscribe(subscription: number, ids: readonly number[], hz: number): void {
    const before = this.link.selected();
    this.link.subscribe(subscription, ids, hz);
    const after = this.link.selected();
    // Who was asked for all along goes on without a pause.
    this.values.pause([...before].filter((id) => !after.has(id)));
    this.values.pause([...after].filter((id) => !before.has(id)));
  }

  /** Calls `listener` for every frame until the returned function is called. */
  onFrame(listener: (frame: Frame) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private takeFrame(frame: Frame): void {
    this.setClock(frame.nowMs);
    const unknown = this.values.apply(frame);
    if (unknown) void this.readSignals();
    for (const listener of this.listeners) listener(frame);
    if (this.bumpAsked) return;
    this.bumpAsked = true;
    requestAnimationFrame(() => {
      this.bumpAsked = false;
      this.version++;
    });
  }

  private takeMessage(message: Record<string, unknown>): void {
    if (message.status) this.takeStatus(message.status as Status);
    if (message.event) {
      this.events = [message.event as GatewayEvent, ...this.events].slice(0, EVENTS_MAX);
    }
    const text = message.text as { id?: unknown; value?: unknown } | undefined;
    if (text && typeof text.id === "number" && typeof text.value === "string") {
      this.values.text.set(text.id, text.value);
      this.version++;
    }
  }

  private takeStatus(status: Status): void {
    this.setClock(status.now_us / 1000);
    if (this.startedUs !== 0 && status.started_us !== this.startedUs) {
      this.values.clear();
      this.signals = [];
      this.byPath.clear();
      void this.readSignals();
    }
    this.startedUs = status.started_us;
    showTimesIn(status.timezone);
    this.status = status;
    const turned = (status.catalog_turns ?? 0) !== this.catalogTurns;
    if (!this.signalsRead || turned || (status.signals ?? 0) > this.signals.length)
      void this.readSignals(status.catalog_turns ?? 0);
  }

  private catchUp(): void {
    this.opens++;
    this.values.pause(this.values.ids());
    void this.readSignals();
    void fetchReasons().then((reasons) => (this.reasons = reasons), () => undefined);
    void fetchEvents(EVENTS_MAX).then(
      (events) => {
        this.events = events;
        this.eventsRead = true;
      },
      () => undefined,
    );
  }

  /** `turns`: how often known signals had become others when the gateway was asked to tell them. */
  private async readSignals(turns = this.catalogTurns): Promise<void> {
    if (this.signalsAsked) return;
    this.signalsAsked = true;
    try {
      const signals = await fetchSignals();
      this.catalogTurns = turns;
      this.values.grow(signals.length);
      for (const signal of signals) this.byPath.set(signal.path, signal);
      this.signals = signals;
      this.signalsRead = true;
    } catch {
      // The next frame or reconnect asks again.
    } finally {
      this.signalsAsked = false;
    }
  }

  private setClock(gatewayMs: number): void {
    const ahead = gatewayMs - performance.now();
    const off = ahead - this.clockAheadMs;
    this.clockAheadMs += !this.clockKnown || Math.abs(off) > CLOCK_STEP_MS ? off : 0.1 * off;
    this.clockKnown = true;
  }

  private watch(quietMs: number): void {
    const lost = quietMs > LOST_MS;
    if (lost && !this.lost) this.heardMs = this.nowMs() - quietMs;
    this.lost = lost;
  }
}

export const gateway = new Gateway();
