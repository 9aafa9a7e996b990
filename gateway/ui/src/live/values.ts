// The newest sample of every signal, in typed arrays outside the reactive graph: thousands of values a second cost
// one reactive change per animation frame.
//
// In: frames in the order they arrived. Out: columns indexed by signal id.

import type { Frame } from "./frame";

/** Quality of a signal from which nothing has been heard. */
export const UNHEARD = 255;
/** Below this age nothing is called stale: frames come at most 5 times a second and networks hiccup. */
const STALE_AFTER_MS_MIN = 2_000;
/** Spacing assumed while nothing is known about a signal or its neighbours. */
const SPACING_MS_ASSUMED = 10_000;
/** A sample is stale when it is this many times older than samples usually are apart. */
const STALE_SPACINGS = 3;

export class Values {
  value = new Float64Array(0);
  quality = new Uint8Array(0);
  reason = new Uint16Array(0);
  /** When the newest sample was taken, gateway time, ms. */
  timeMs = new Float64Array(0);
  /** Usual time between samples, ms; 0 while unknown. */
  spacingMs = new Float64Array(0);
  /** When value or quality was last seen to become different, gateway time, ms; 0 while it never was. */
  changedMs = new Float64Array(0);
  /** Newest text of text-valued signals. */
  readonly text = new Map<number, string>();
  /** 1 while the samples of a signal arrive without pauses of our own making (scrolling, hidden tab). */
  private steady = new Uint8Array(0);
  /** 1 once a frame of the present subscription has spoken of the signal. */
  private heard = new Uint8Array(0);

  get length(): number {
    return this.value.length;
  }

  ids(): Iterable<number> {
    return this.value.keys();
  }

  /** Makes room for signals 0..count-1; what is known stays. */
  grow(count: number): void {
    if (count <= this.length) return;
    const wider = <T extends Float64Array | Uint8Array | Uint16Array>(fresh: T, old: T) => {
      fresh.set(old as never);
      return fresh;
    };
    const known = this.length;
    this.value = wider(new Float64Array(count).fill(NaN), this.value);
    this.quality = wider(new Uint8Array(count).fill(UNHEARD), this.quality);
    this.reason = wider(new Uint16Array(count), this.reason);
    this.timeMs = wider(new Float64Array(count), this.timeMs);
    this.spacingMs = wider(new Float64Array(count), this.spacingMs);
    this.changedMs = wider(new Float64Array(count), this.changedMs);
    this.steady = wider(new Uint8Array(count), this.steady);
    this.heard = wider(new Uint8Array(count), this.heard);
    this.quality.fill(UNHEARD, known);
  }

  /** Forgets everything: ids mean other signals after a restart of the gateway. */
  clear(): void {
    this.text.clear();
    this.value = new Float64Array(0);
    this.quality = new Uint8Array(0);
    this.reason = new Uint16Array(0);
    this.timeMs = new Float64Array(0);
    this.spacingMs = new Float64Array(0);
    this.changedMs = new Float64Array(0);
    this.steady = new Uint8Array(0);
    this.heard = new Uint8Array(0);
  }

  /**
   * Nobody asked for these signals for a while: what is known of them is old through our own doing, and their next
   * sample says nothing about their spacing.
   */
  pause(ids: Iterable<number>): void {
    for (const id of ids) {
      if (id >= this.length) continue;
      this.steady[id] = 0;
      this.heard[id] = 0;
    }
  }

  /** Whether the gateway has spoken of the signal since it was last asked for. */
  isHeard(id: number): boolean {
    return this.heard[id] === 1;
  }

  /** Takes over a frame. Returns whether it names a signal that is not known yet. */
  apply(frame: Frame): boolean {
    let unknown = false;
    for (let row = 0; row < frame.ids.length; row++) {
      const id = frame.ids[row] ?? 0;
      if (id >= this.length) {
        unknown = true;
        continue;
      }
      const time = frame.timesMs[row] ?? 0;
      const before = this.timeMs[id] ?? 0;
      const value = frame.values[row] ?? NaN;
      const quality = frame.quality[row] ?? 2;
      const known = this.quality[id] !== UNHEARD;
      if (known && (!Object.is(value, this.value[id]) || quality !== this.quality[id])) {
        this.changedMs[id] = time;
      }
      if (time > before && this.steady[id] === 1) this.learnSpacing(id, time - before);
      if (time !== before) this.steady[id] = 1;
      this.heard[id] = 1;
      this.value[id] = value;
      this.quality[id] = quality;
      this.reason[id] = frame.reasons[row] ?? 0;
      this.timeMs[id] = time;
    }
    return unknown;
  }

  private learnSpacing(id: number, seen: number): void {
    const usual = this.spacingMs[id] ?? 0;
    // One long silence must not teach that silence is usual.
    const step = usual === 0 ? seen : Math.min(seen, 4 * usual);
    this.spacingMs[id] = usual === 0 ? step : usual + 0.1 * (step - usual);
  }

  /** Whether the newest sample is older than it should ever be while the signal is alive. */
  isStale(id: number, nowMs: number): boolean {
    const time = this.timeMs[id] ?? 0;
    if (time === 0 || !this.isHeard(id)) return false;
    const spacing = this.spacingMs[id] || SPACING_MS_ASSUMED;
    return nowMs - time > Math.max(STALE_SPACINGS * spacing, STALE_AFTER_MS_MIN);
  }
}
