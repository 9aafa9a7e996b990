// Anomaly episodes, newest first: read at the start, when an event speaks of one, and now and then for their peaks.

import { fetchEpisodes, type Episode } from "./api";
import { gateway } from "./gateway.svelte";

const LIMIT = 50;
const EVERY_MS = 10_000;

class Episodes {
  list = $state.raw<Episode[]>([]);
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
      this.list = await fetchEpisodes(LIMIT);
      this.read = true;
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  }
}

export const episodes = new Episodes();
