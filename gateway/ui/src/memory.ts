// Choices of the reader that outlive a visit. A browser that forbids storing is no reason to fail.

const KEY = "fieldgate.";

export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(KEY + name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(KEY + name, value);
  } catch {
    // Then it holds for this visit only.
  }
}
