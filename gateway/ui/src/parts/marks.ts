// Which sign stands for what. Device states follow NAMUR NE 107.

import type { DeviceState, Severity, Status } from "../api";
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

/** What the storage is doing: nothing is saved, samples were lost, old files had to go, or all is well. */
export function storageState({ journal, lake }: Pick<Status, "journal" | "lake">): DeviceState {
  if (journal.error !== null || lake.error !== null || journal.refused > 0) return "failure";
  if (lake.missed_records > 0) return "out_of_specification";
  return lake.evicted_files > 0 ? "maintenance" : "normal";
}

export const SEVERITY_SIGNS: Record<Severity, Sign> = {
  note: { shape: "ring", tone: "none", letter: "i" },
  advisory: { shape: "diamond", tone: "specification", letter: "!" },
  alarm: { shape: "square", tone: "failure", letter: "A" },
};

export const severitySign = (severity: Severity): Sign => SEVERITY_SIGNS[severity] ?? UNKNOWN;

/** By quality class: good has no sign. */
export const QUALITY_SIGNS: readonly (Sign | null)[] = [
  null,
  { shape: "triangle", tone: "specification", letter: "U" },
  { shape: "square", tone: "failure", letter: "B" },
];
