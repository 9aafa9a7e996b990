// Which sign stands for what. Device states follow NAMUR NE 107.

import type { Alarm, AlarmPriority, DeviceState, Severity, Status } from "../api";
import type { Shape, Tone } from "./Mark.svelte";

export interface Sign {
  shape: Shape;
  tone: Tone;
  letter: string;
}

export const STATE_SIGNS: Record<DeviceState, Sign> = {
  normal: { shape: "ring", tone: "none", letter: "" },
  maintenance: { shape: "square", tone: "maintenance", letter: "M" },
  out_of_specification: { shape: "triangle", tone: "specification", letter: "S" },
  function_check: { shape: "wedge", tone: "check", letter: "C" },
  failure: { shape: "circle", tone: "failure", letter: "F" },
};

const UNKNOWN: Sign = { shape: "ring", tone: "none", letter: "?" };

/** Least to most severe. */
const STATES_IN_ORDER: readonly DeviceState[] = [
  "normal",
  "maintenance",
  "out_of_specification",
  "function_check",
  "failure",
];

export const stateSign = (state: DeviceState): Sign => STATE_SIGNS[state] ?? UNKNOWN;

export const worstState = (states: readonly DeviceState[]): DeviceState =>
  states.reduce<DeviceState>(
    (worst, state) =>
      STATES_IN_ORDER.indexOf(state) > STATES_IN_ORDER.indexOf(worst) ? state : worst,
    "normal",
  );

/** What the storage is doing: nothing is saved, samples were lost, old files had to go or become thin, or all is well. */
export function storageState({ journal, lake }: Pick<Status, "journal" | "lake">): DeviceState {
  if (journal.error !== null || lake.error !== null || journal.refused > 0) return "failure";
  if (lake.missed_records > 0) return "out_of_specification";
  return lake.evicted_files + lake.thinned_files > 0 ? "maintenance" : "normal";
}

export const SEVERITY_SIGNS: Record<Severity, Sign> = {
  note: { shape: "ring", tone: "none", letter: "i" },
  advisory: { shape: "diamond", tone: "specification", letter: "!" },
  alarm: { shape: "square", tone: "failure", letter: "A" },
};

export const severitySign = (severity: Severity): Sign => SEVERITY_SIGNS[severity] ?? UNKNOWN;

/** By priority: the more it matters, the more corners the sign has. */
const PRIORITY_SIGNS: Record<AlarmPriority, Sign> = {
  critical: { shape: "square", tone: "failure", letter: "1" },
  high: { shape: "triangle", tone: "check", letter: "2" },
  medium: { shape: "wedge", tone: "specification", letter: "3" },
  low: { shape: "diamond", tone: "maintenance", letter: "4" },
};

/** Colour only while the alarm wants something of an operator. */
export function alarmSign(alarm: Pick<Alarm, "priority" | "is_told" | "is_met">): Sign {
  const sign = PRIORITY_SIGNS[alarm.priority] ?? UNKNOWN;
  if (alarm.is_told) return sign;
  return { shape: "ring", tone: "none", letter: alarm.is_met ? sign.letter : "" };
}

/** By quality class: good has no sign. */
export const QUALITY_SIGNS: readonly (Sign | null)[] = [
  null,
  { shape: "triangle", tone: "specification", letter: "U" },
  { shape: "square", tone: "failure", letter: "B" },
];
