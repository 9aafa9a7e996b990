// The one WebSocket of this tab: subscriptions out, frames in, reconnecting with back-off.
//
// L-1 After every reconnect each subscription is asked for again, so the first frame of each is a keyframe.
// L-2 A hidden tab holds no subscriptions.
// L-3 A socket that says nothing for SILENT_MS is dead, whatever the browser thinks of it (the gateway sends its
//     status once a second).

import { parseFrame, type Frame } from "./frame";

const SILENT_MS = 4_000;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 5_000;
const WATCH_MS = 250;

export interface Listener {
  frame(frame: Frame): void;
  /** A parsed JSON message. */
  message(message: Record<string, unknown>): void;
  /** The socket came up: whatever was fetched before may be old. */
  opened(): void;
  /** The socket went down, or did not come up. */
  closed(): void;
  /** Ticks a few times a second with how long the gateway has been out of hearing, ms. */
  watched(quietMs: number): void;
}

interface Subscription {
  ids: readonly number[];
  hz: number;
}

export class Link {
  private socket: WebSocket | null = null;
  private readonly subscriptions = new Map<number, Subscription>();
  private retryMs = RETRY_MS_MIN;
  private heardAt = performance.now();
  private retryTimer = 0;
  private wanted = false;

  constructor(
    private readonly url: string,
    private readonly listener: Listener,
  ) {}

  start(): void {
    setInterval(() => this.watch(), WATCH_MS);
    document.addEventListener("visibilitychange", () => this.sendAll());
    addEventListener("online", () => this.retryNow());
  }

  /** Connects and stays connected, or hangs up and stays so. */
  want(wanted: boolean): void {
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    if (wanted) {
      this.heardAt = performance.now();
      this.retryNow();
    } else {
      clearTimeout(this.retryTimer);
      this.socket?.close();
    }
  }

  /** Replaces what subscription `id` selects; an empty selection ends it. */
  subscribe(id: number, ids: readonly number[], hz: number): void {
    const before = this.subscriptions.get(id);
    if (before && before.hz === hz && sameIds(before.ids, ids)) return;
    if (!before && ids.length === 0) return;
    if (ids.length === 0) this.subscriptions.delete(id);
    else this.subscriptions.set(id, { ids: [...ids], hz });
    this.send(id, ids, hz);
  }

  /** Every signal that some subscription selects. */
  selected(): Set<number> {
    return new Set([...this.subscriptions.values()].flatMap(({ ids }) => ids));
  }

  private connect(): void {
    clearTimeout(this.retryTimer);
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.retryMs = RETRY_MS_MIN;
      this.heardAt = performance.now();
      this.sendAll();
      this.listener.opened();
    };
    socket.onmessage = (message: MessageEvent<ArrayBuffer | string>) => {
      this.heardAt = performance.now();
      if (typeof message.data === "string") this.readText(message.data);
      else {
        const frame = parseFrame(message.data);
        if (frame) this.listener.frame(frame);
      }
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.listener.closed();
      if (!this.wanted) return;
      // Half fixed, half by chance: a hundred tabs must not knock at the same moment.
      const wait = this.retryMs * (0.5 + Math.random() / 2);
      this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX);
      this.retryTimer = window.setTimeout(() => this.connect(), wait);
    };
  }

  private readText(text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message !== null && typeof message === "object") {
      this.listener.message(message as Record<string, unknown>);
    }
  }

  private retryNow(): void {
    if (this.socket !== null || !this.wanted) return;
    this.retryMs = RETRY_MS_MIN;
    this.connect();
  }

  private watch(): void {
    const quietMs = performance.now() - this.heardAt;
    if (quietMs > SILENT_MS && this.socket?.readyState === WebSocket.OPEN) {
      const dead = this.socket;
      this.socket = null;
      dead.onmessage = null;
      dead.close();
      this.retryMs = RETRY_MS_MIN;
      this.connect();
    }
    this.listener.watched(this.wanted ? quietMs : 0);
  }

  private sendAll(): void {
    for (const [id, { ids, hz }] of this.subscriptions) this.send(id, document.hidden ? [] : ids, hz);
  }

  private send(id: number, ids: readonly number[], hz: number): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (document.hidden && ids.length > 0) return;
    this.socket.send(JSON.stringify({ id, sub: "tags", sel: ids, max_hz: hz }));
  }
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, place) => id === b[place]);
}
