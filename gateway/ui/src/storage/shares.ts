// How a volume is divided: the lake, everything else, what may still be written, what is kept free.

import type { LakeUse } from "../api";

export interface Share {
  name: "used" | "others" | "free" | "reserve";
  bytes: number;
}

/** Parts of the volume in the order they are drawn; they add up to its size. */
export function shares({ bytes, volume, budget }: Pick<LakeUse, "bytes" | "volume" | "budget">): Share[] {
  if (!volume) return [];
  const taken = Math.max(0, volume.total - volume.free);
  const used = Math.min(bytes, taken);
  const reserve = Math.min(budget.free_min, volume.free);
  return [
    { name: "used", bytes: used },
    { name: "others", bytes: taken - used },
    { name: "free", bytes: volume.free - reserve },
    { name: "reserve", bytes: reserve },
  ];
}
