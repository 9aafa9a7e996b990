// Which screen is shown, and with what: the address is the only store, so every state can be shared as a link.

export const SCREENS = [
  "overview",
  "devices",
  "tags",
  "trend",
  "alarms",
  "anomalies",
  "storage",
  "forwarding",
  "people",
] as const;
export type Screen = (typeof SCREENS)[number];

class Route {
  private path = $state(location.pathname);
  private query = $state(location.search);

  readonly screen: Screen | null = $derived.by(() => {
    const name = this.path.replace(/^\/+|\/+$/g, "");
    if (name === "") return "overview";
    return SCREENS.find((screen) => screen === name) ?? null;
  });
  readonly params = $derived(new URLSearchParams(this.query));

  start(): void {
    addEventListener("popstate", () => this.read());
    document.addEventListener("click", (click) => this.follow(click));
  }

  /** Shows `address`, as a new step that "back" undoes, or in place of the present one. */
  go(address: string, how: "push" | "replace" = "push"): void {
    if (address === this.path + this.query) return;
    if (how === "push") history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.read();
  }

  private read(): void {
    this.path = location.pathname;
    this.query = location.search;
  }

  /** Plain clicks on links of this page change the screen without loading it anew. */
  private follow(click: MouseEvent): void {
    if (click.defaultPrevented || click.button !== 0) return;
    if (click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return;
    const link = (click.target as Element | null)?.closest?.("a");
    if (!link || link.target || link.origin !== location.origin || link.hash) return;
    if (link.pathname.startsWith("/api/")) return;
    click.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const route = new Route();

/** `/screen?key=value…`, leaving out empty values; commas, slashes and colons stay readable. */
export function address(screen: Screen, params: Record<string, string> = {}): string {
  const pairs = Object.entries(params)
    .filter(([, value]) => value !== "")
    .map(([key, value]) => `${key}=${encodeURIComponent(value).replace(/%(2F|2C|3A)/g, decodeURIComponent)}`);
  return `/${screen}${pairs.length > 0 ? `?${pairs.join("&")}` : ""}`;
}

export const trendOf = (paths: readonly string[], fromMs?: number, toMs?: number) =>
  address("trend", {
    pens: paths.join(","),
    from: fromMs === undefined ? "" : new Date(fromMs).toISOString(),
    to: toMs === undefined ? "" : new Date(toMs).toISOString(),
  });
