import { describe, expect, it } from "vitest";
import type { Bus } from "../api";
import { en } from "../words/en";
import { busFacts } from "./bus";

const live: Bus = {
  state: "active",
  frame_rate_hz: 455,
  load_ratio: 0.231,
  transmit_errors: 0,
  receive_errors: 3,
  error_frames: 12,
  lost_frames: 0,
  refused_rows: 0,
  unknown_ids: 0,
  unknown_frames: 0,
  stale_messages: 0,
  databases_refused: false,
};
const facts = (bus: Bus) => busFacts(bus, en.bus, "en");
const text = (bus: Bus, name: string) => facts(bus).find((fact) => fact.name === name)?.text;

describe("the facts of a bus", () => {
  it("are state, load, error counters and losses, without a warning while all is well", () => {
    expect(facts(live).some((fact) => fact.warn)).toBe(false);
    expect(text(live, en.bus.load)).toBe("23.1 % · 455 frames/s");
    expect(text(live, en.bus.errors)).toBe("TEC 0 · REC 3 · 12 error frames");
    expect(text(live, en.bus.lost)).toBe("nothing");
  });

  it("warn of what is lost, of a bus that is off, of counters and of databases", () => {
    const bad: Bus = { ...live, state: "bus_off", transmit_errors: 255, lost_frames: 7, databases_refused: true };
    const warned = facts(bad).filter((fact) => fact.warn).map((fact) => fact.name);
    expect(warned).toEqual([en.bus.state, en.bus.errors, en.bus.lost, en.bus.databases]);
    expect(text(bad, en.bus.lost)).toBe("7 frames");
  });

  it("leave out what a replay or a virtual interface does not know", () => {
    const replay: Bus = {
      ...live,
      state: null,
      frame_rate_hz: null,
      load_ratio: null,
      transmit_errors: null,
      receive_errors: null,
      error_frames: null,
      lost_frames: null,
      refused_rows: 5,
    };
    expect(facts(replay).map((fact) => fact.name)).toEqual([en.bus.lost]);
    expect(text(replay, en.bus.lost)).toBe("0 frames · 5 rows");
  });
});
