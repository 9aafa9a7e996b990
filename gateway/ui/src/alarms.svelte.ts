// Alarms: read at the start, when an event speaks of one, and now and then.

import { fetchAlarms, orderAlarm, type Alarm, type AlarmOrder } from "./api";
import { gateway } from "./gateway.svelte";

const EVERY_MS = 10_000;

class Alarms {
  list = $state.raw<Alarm[]>([]);
  read = $state(false);
  error = $state.raw<unknown>(null);

  /** Keeps the list up to date while the calling component is shown. */
  watch(): void {
    $effect(() => {
      void gateway.opens;
      void gateway.events;
      void this.refresh();
      const timer = setInterval(() => {
        if (!document.hidden && !gateway.lost) void this.refresh();
      }, EVERY_MS);
      return () => clearInterval(timer);
    });
  }

  async refresh(): Promise<void> {
    try {
      this.list = await fetchAlarms();
      this.read = true;
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  }

  /** Gives an order; throws what the gateway says against it. */
  async order(alarm: string, order: AlarmOrder): Promise<void> {
    const stands = await orderAlarm(alarm, order);
    this.list = this.list.map((each) => (each.alarm === alarm ? stands : each));
  }
}

export const alarms = new Alarms();
