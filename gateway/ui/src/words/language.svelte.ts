// Which language the page speaks: as chosen, else as the browser asks, else English.

import { en, type Words } from "./en";
import { remember, remembered } from "../memory";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type LanguageCode = keyof typeof LANGUAGES;

const isCode = (code: string): code is LanguageCode => Object.hasOwn(LANGUAGES, code);

class Language {
  code = $state<LanguageCode>("en");
  words = $state.raw<Words>(en);

  async start(): Promise<void> {
    const wanted = remembered("language") ?? navigator.language.slice(0, 2);
    if (isCode(wanted)) await this.load(wanted);
  }

  async choose(code: LanguageCode): Promise<void> {
    remember("language", code);
    await this.load(code);
  }

  private async load(code: LanguageCode): Promise<void> {
    try {
      this.words = code === "de" ? (await import("./de")).de : en;
      this.code = code;
    } catch {
      // The gateway is out of reach: the page goes on in the language it has.
    }
    document.documentElement.lang = this.code;
  }
}

export const language = new Language();

/** A reason of the gateway in the reader's language, as far as it is translated. */
export function reasonWords(name: string): string {
  const translated = language.words.reasons[name];
  if (translated !== undefined) return translated;
  const [family, member] = name.split("_");
  if (family === "exc") return `exception ${(member ?? "").padStart(2, "0")}`;
  return name.replaceAll("_", " ");
}
