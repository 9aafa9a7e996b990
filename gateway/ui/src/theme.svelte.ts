// Light or dark: as chosen, else as the operating system says. Styles follow `color-scheme` alone.

import { remember, remembered } from "./memory";

export const THEMES = ["auto", "light", "dark"] as const;
export type ThemeChoice = (typeof THEMES)[number];

class Theme {
  choice = $state<ThemeChoice>("auto");
  /** Changes with every change of the colours in force: canvases draw themselves again. */
  version = $state(0);

  start(): void {
    const chosen = THEMES.find((theme) => theme === remembered("theme"));
    this.apply(chosen ?? "auto");
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.version++);
  }

  choose(choice: ThemeChoice): void {
    remember("theme", choice);
    this.apply(choice);
  }

  private apply(choice: ThemeChoice): void {
    this.choice = choice;
    document.documentElement.dataset.theme = choice;
    this.version++;
  }
}

export const theme = new Theme();

/** The colours a canvas draws with, as resolved now: custom properties may hold `light-dark()`. */
export function colours<Name extends string>(names: readonly Name[]): Record<Name, string> {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const found = {} as Record<Name, string>;
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
