// The series behind a trend: fetched from the gateway, kept up with live samples, their open ends fetched again.
//
// H-1 All pens of a view have the same number of points per second asked for, so that their buckets are alike.
// H-2 A failed or overtaken request changes nothing that is shown.

import { fetchTrend, type Signal } from "../api";
import { gateway } from "../gateway.svelte";
import type { Frame } from "../live/frame";
import { fold, renew, seriesOf, trim, type Series } from "./series";
import type { View } from "./view";

/** Fetched beyond each edge of a fixed view, as a share of it, so that panning does not bare the canvas. */
const MARGIN = 0.25;
const TAIL_MS_MIN = 3_000;
const TAIL_MS_MAX = 30_000;

export class History {
  loading = $state(true);
  error = $state.raw<unknown>(null);
  /** Changes when a series holds something new. */
  arrived = $state(0);
  private readonly loaded = new Map<number, Series>();

  of(signal: Signal): Series | undefined {
    void this.arrived;
    return this.loaded.get(signal.id);
  }

  /** Width of the widest bucket, ms; 0 while there is none. */
  bucketMs(): number {
    void this.arrived;
    return Math.max(0, ...[...this.loaded.values()].map((series) => series.bucketMs));
  }

  /** How often the open end is fetched again, ms. */
  tailMs(): number {
    return Math.min(Math.max(this.bucketMs(), TAIL_MS_MIN), TAIL_MS_MAX);
  }

  /** Fetches all pens anew for a view of `px` pixels. */
  async load(pens: readonly Signal[], view: View, px: number, stop: AbortSignal): Promise<void> {
    const span = view.toMs - view.fromMs;
    const toMs = view.follow ? gateway.nowMs() : view.toMs + MARGIN * span;
    const fromMs = view.follow ? toMs - span : view.fromMs - MARGIN * span;
    const points = (px * (toMs - fromMs)) / span;
    this.loading = true;
    try {
      const answers = await Promise.all(
        pens.map(({ id }) => fetchTrend({ id, fromMs, toMs, px: points }, stop)),
      );
      this.loaded.clear();
      for (const answer of answers) this.loaded.set(answer.id, seriesOf(answer));
      this.error = null;
      this.arrived++;
    } catch (cause) {
      if (stop.aborted) return;
      this.error = cause;
    }
    this.loading = false;
  }

  /** Fetches the open ends again: live samples come at most 5 times a second and so are not every sample. */
  async refresh(pens: readonly Signal[], spanMs: number, px: number): Promise<void> {
    const bucketMs = this.bucketMs();
    if (bucketMs === 0) return;
    const toMs = gateway.nowMs();
    const fromMs = Math.floor((toMs - 2 * this.tailMs()) / bucketMs - 1) * bucketMs;
    const points = (px * (toMs - fromMs)) / spanMs;
    await Promise.all(
      pens.map(async ({ id }) => {
        const answer = await fetchTrend({ id, fromMs, toMs, px: points }).catch(() => null);
        const series = this.loaded.get(id);
        if (!answer || !series || answer.bucket_us / 1000 !== series.bucketMs) return;
        this.loaded.set(id, renew(series, seriesOf(answer), fromMs));
      }),
    );
    this.arrived++;
  }

  fold(frame: Frame): void {
    frame.ids.forEach((id, row) => {
      const series = this.loaded.get(id);
      if (series) fold(series, frame.timesMs[row] ?? 0, frame.values[row] ?? NaN, frame.quality[row] ?? 2);
    });
    this.arrived++;
  }

  trim(beforeMs: number): void {
    for (const series of this.loaded.values()) trim(series, beforeMs);
  }

  has(signal: Signal): boolean {
    return this.loaded.has(signal.id);
  }
}
