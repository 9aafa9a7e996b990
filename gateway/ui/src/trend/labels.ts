// What stands beside the axes.

import { LOCALES, inSiteZone } from "../format";

/** Decimals that tell neighbouring marks apart: 2 for a step of 0.25. */
export function decimalsOfStep(step: number): number {
  let decimals = 0;
  while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals++;
  return decimals;
}

/** Clock times as fine as the axis step; the first label and each midnight carry the date. */
export function timeLabels(splits: number[], step: number, language: string): string[] {
  const locale = LOCALES[language] ?? language;
  const clock = new Intl.DateTimeFormat(locale, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...inSiteZone(),
    ...(step < 60 ? { second: "2-digit" } : {}),
    ...(step < 1 ? { fractionalSecondDigits: step < 0.1 ? 3 : 1 } : {}),
  });
  const day = new Intl.DateTimeFormat(locale, { day: "2-digit", month: "short", ...inSiteZone() });
  let before = "";
  return splits.map((split) => {
    const date = new Date(split * 1000);
    const today = day.format(date);
    const label = step >= 86_400 ? today : clock.format(date);
    const dated = today !== before && step < 86_400 ? `${label}\n${today}` : label;
    before = today;
    return dated;
  });
}
