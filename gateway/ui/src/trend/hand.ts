// What a hand does on the chart: the wheel and two fingers zoom, dragging pans, a touch puts the cursor.

import type { TrendPlot } from "./plot";
import { panned, zoomed, type View } from "./view";

export interface Grip {
  view(): View;
  choose(view: View): void;
}

/** Farther than this a press is a drag, px. */
const DRAG_PX = 4;

export class Hand {
  private readonly fingers = new Map<number, { startX: number; x: number }>();
  private start: View | null = null;
  private dragging = false;
  private readonly stop = new AbortController();

  constructor(
    private readonly host: HTMLElement,
    private readonly plot: TrendPlot,
    private readonly grip: Grip,
  ) {
    const { signal } = this.stop;
    host.addEventListener("wheel", (event) => this.wheel(event), { passive: false, signal });
    host.addEventListener("pointerdown", (event) => this.down(event), { signal });
    host.addEventListener("pointermove", (event) => this.move(event), { signal });
    for (const end of ["pointerup", "pointercancel"] as const) {
      host.addEventListener(end, (event) => this.up(event), { signal });
    }
  }

  destroy(): void {
    this.stop.abort();
  }

  private offset(clientX: number): number {
    return clientX - (this.plot.area?.getBoundingClientRect().left ?? 0);
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const view = this.grip.view();
    const span = view.toMs - view.fromMs;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.grip.choose(panned(view, (event.deltaX / this.width()) * span));
      return;
    }
    const notches = Math.max(-3, Math.min(3, event.deltaY / (event.deltaMode === 0 ? 100 : 3)));
    this.grip.choose(zoomed(view, this.plot.timeAt(this.offset(event.clientX)), 1.25 ** notches));
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.fingers.set(event.pointerId, { startX: event.clientX, x: event.clientX });
    this.begin();
  }

  /** Measures anew from where the fingers are: one came or went. */
  private begin(): void {
    this.start = this.grip.view();
    for (const finger of this.fingers.values()) finger.startX = finger.x;
    this.dragging = this.fingers.size > 1;
  }

  private move(event: PointerEvent): void {
    const finger = this.fingers.get(event.pointerId);
    if (!finger || !this.start) return;
    finger.x = event.clientX;
    if (!this.dragging) {
      if (Math.abs(finger.x - finger.startX) < DRAG_PX) return;
      this.dragging = true;
      this.host.setPointerCapture(event.pointerId);
    }
    const span = this.start.toMs - this.start.fromMs;
    const perPx = span / this.width();
    const [one, other] = [...this.fingers.values()];
    if (one && other) {
      const before = Math.max(Math.abs(one.startX - other.startX), 10);
      const now = Math.max(Math.abs(one.x - other.x), 10);
      const middleBefore = this.offset((one.startX + other.startX) / 2);
      const middleNow = this.offset((one.x + other.x) / 2);
      const anchor = this.start.fromMs + middleBefore * perPx;
      const scaled = zoomed(this.start, anchor, before / now);
      const shift = ((middleBefore - middleNow) * (scaled.toMs - scaled.fromMs)) / this.width();
      this.grip.choose(panned(scaled, shift));
    } else if (one) {
      this.grip.choose(panned(this.start, (one.startX - one.x) * perPx));
    }
  }

  private up(event: PointerEvent): void {
    if (!this.fingers.delete(event.pointerId)) return;
    const tapped = !this.dragging && event.pointerType !== "mouse";
    if (this.fingers.size > 0) this.begin();
    else {
      this.start = null;
      this.dragging = false;
    }
    if (tapped) this.plot.point(this.plot.timeAt(this.offset(event.clientX)));
  }

  private width(): number {
    return this.plot.area?.clientWidth || 1;
  }
}
