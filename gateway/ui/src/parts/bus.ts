/** What is known of a CAN bus, as facts of a device's tile. */
import type { Bus } from "../api";
import { coarse, count } from "../format";
import type { Words } from "../words/en";

export interface BusFact {
  name: string;
  text: string;
  /** Whether it asks for attention. */
  warn: boolean;
}

type BusWords = Words["bus"];

/** Error counters from here on are a warning (ISO 11898-1: 96). */
const COUNTER_WARNING = 96;
/** From this share of the time on a bus has no room for what is to come. */
const LOAD_WARNING = 0.8;

/** The facts there are: a replay has no state, a virtual interface no load and no counters. */
export function busFacts(bus: Bus, words: BusWords, code: string): BusFact[] {
  const facts: BusFact[] = [];
  const say = (name: string, text: string, warn = false) => facts.push({ name, text, warn });
  if (bus.state !== null) say(words.state, words.states[bus.state] ?? bus.state, bus.state !== "active");
  const rate = bus.frame_rate_hz === null ? "" : `${coarse(bus.frame_rate_hz, code)} ${words.rate}`;
  if (bus.load_ratio !== null) {
    const load = `${coarse(bus.load_ratio * 100, code)} %`;
    say(words.load, rate === "" ? load : `${load} · ${rate}`, bus.load_ratio >= LOAD_WARNING);
  } else if (rate !== "") say(words.traffic, rate);
  const counters = [bus.transmit_errors, bus.receive_errors];
  const errors = counters.some((n) => n !== null)
    ? [`TEC ${bus.transmit_errors ?? "–"}`, `REC ${bus.receive_errors ?? "–"}`]
    : [];
  if (bus.error_frames !== null) errors.push(`${count(bus.error_frames, code)} ${words.errorFrames}`);
  const high = counters.some((n) => (n ?? 0) >= COUNTER_WARNING);
  if (errors.length > 0) say(words.errors, errors.join(" · "), high);
  const lost = (bus.lost_frames ?? 0) + bus.refused_rows;
  const drops = [`${count(bus.lost_frames ?? 0, code)} ${words.frames}`];
  if (bus.refused_rows > 0) drops.push(`${count(bus.refused_rows, code)} ${words.rows}`);
  say(words.lost, lost === 0 ? words.nothing : drops.join(" · "), lost > 0);
  if (bus.unknown_ids > 0)
    say(words.unknown, `${count(bus.unknown_ids, code)} ${words.ids} · ${count(bus.unknown_frames, code)} ${words.frames}`);
  if (bus.stale_messages > 0) say(words.stale, `${count(bus.stale_messages, code)} ${words.messages}`, true);
  if (bus.databases_refused) say(words.databases, words.databasesRefused, true);
  return facts;
}
