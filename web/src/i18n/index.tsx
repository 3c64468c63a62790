import koErrors from "virtual:errors/ko";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import { type Format, makeFormat } from "./format";
import { type Dictionary, ko } from "./ko";

export type Language = "ko" | "en";
export type ErrorTexts = Record<string, { title: string; hint: string }>;

interface Texts {
  language: Language;
  dictionary: Dictionary;
  errors: ErrorTexts;
}

interface Translation extends Texts {
  format: Format;
  choose(language: Language): void;
}

const REMEMBERED = "socketing.language";
const korean: Texts = { language: "ko", dictionary: ko, errors: koErrors };

const Context = createContext<Translation | undefined>(undefined);

/** Korean unless English was chosen before, or is what the browser asks for. */
export function preferredLanguage(remembered: string | null, asked: readonly string[]): Language {
  if (remembered === "ko" || remembered === "en") return remembered;
  return (asked[0] ?? "ko").toLowerCase().startsWith("ko") ? "ko" : "en";
}

/** The texts of a language; English comes in a file of its own, when it is first needed. */
export async function loadTexts(language: Language): Promise<Texts> {
  if (language === "ko") return korean;
  const [{ en }, { default: errors }] = await Promise.all([import("./en"), import("virtual:errors/en")]);
  return { language, dictionary: en, errors };
}

export function rememberedLanguage(): Language {
  return preferredLanguage(localStorage.getItem(REMEMBERED), navigator.languages);
}

export function Translated({ initial, children }: { initial: Texts; children: ReactNode }) {
  const [texts, setTexts] = useState(initial);
  useEffect(() => {
    document.documentElement.lang = texts.language;
  }, [texts.language]);
  const choose = useCallback((language: Language) => {
    localStorage.setItem(REMEMBERED, language);
    loadTexts(language).then(setTexts, () => undefined); // not loaded (offline): the page stays in its language
  }, []);
  const value = useMemo(() => ({ ...texts, format: makeFormat(texts.language), choose }), [texts, choose]);
  return <Context value={value}>{children}</Context>;
}

function useTranslation(): Translation {
  const translation = useContext(Context);
  if (!translation) throw new Error("this component is outside <Translated>");
  return translation;
}

/** The dictionary of the language in use. */
export const useT = (): Dictionary => useTranslation().dictionary;
/** Money, dates and names, as the language in use writes them. */
export const useFormat = (): Format => useTranslation().format;
/** The catalogue of errors in the language in use. */
export const useErrorTexts = (): ErrorTexts => useTranslation().errors;

export function useLanguage(): [Language, (language: Language) => void] {
  const { language, choose } = useTranslation();
  return [language, choose];
}
