import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const catalogue = fileURLToPath(new URL("../../service/errors.json", import.meta.url));

interface Entry {
  code: string;
  ko: { title: string; hint: string };
  en: { title: string; hint: string };
}

/** Serves `virtual:errors/ko` and `virtual:errors/en`: the server's catalogue of errors, one language at a time. */
export function errorTexts(): Plugin {
  const name = /^virtual:errors\/(ko|en)$/;
  return {
    name: "socketing-error-texts",
    resolveId: (id) => (name.test(id) ? `\0${id}` : undefined),
    load(id) {
      const language = name.exec(id.slice(1))?.[1] as "ko" | "en" | undefined;
      if (!id.startsWith("\0") || !language) return undefined;
      this.addWatchFile(catalogue);
      return `export default ${JSON.stringify(textsOf(readEntries(), language))}`;
    },
  };
}

function textsOf(entries: Entry[], language: "ko" | "en"): Record<string, { title: string; hint: string }> {
  return Object.fromEntries(entries.map((entry) => [entry.code, entry[language]]));
}

function readEntries(): Entry[] {
  return (JSON.parse(readFileSync(catalogue, "utf8")) as { errors: Entry[] }).errors;
}
