import type { Language } from "./index";

/** A text of an organiser: Korean always, English where it was given. */
export interface Text {
  ko: string;
  en?: string | null;
}

export interface Format {
  /** `132,000원`, `₩132,000`. */
  won(amount: number): string;
  /** For narrow places: `13.2만`, `₩132k`. */
  wonShort(amount: number): string;
  /** Day and time of a performance, in Seoul: `12월 24일 (목) 오후 7:30`. */
  dateTime(at: string): string;
  /** `2026년 12월 24일 목요일`. */
  day(at: string): string;
  /** `오후 7:30`. */
  time(at: string): string;
  /** For a calendar leaf: month, day, weekday. */
  leaf(at: string): { month: string; day: string; weekday: string };
  /** `12월 24일 – 27일`. */
  range(first: string, last: string): string;
  text(text: Text): string;
  /** Several things in a row, joined as the language does. */
  list(items: readonly string[]): string;
  number(value: number): string;
}

const timeZone = "Asia/Seoul";

export function makeFormat(language: Language): Format {
  const locale = language === "ko" ? "ko-KR" : "en-GB";
  const numbers = new Intl.NumberFormat(locale);
  const date = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, { timeZone, ...options });
  const dateTime = date({ month: "long", day: "numeric", weekday: "short", hour: "numeric", minute: "2-digit" });
  const day = date({ year: "numeric", month: "long", day: "numeric", weekday: "long" });
  const time = date({ hour: "numeric", minute: "2-digit" });
  const leafMonth = date({ month: "short" });
  const leafDay = new Intl.DateTimeFormat("en-GB", { timeZone, day: "numeric" });
  const leafWeekday = date({ weekday: "short" });
  const range = date({ year: "numeric", month: "long", day: "numeric" });
  const list = new Intl.ListFormat(locale, { style: "long", type: "conjunction" });
  const won = language === "ko" ? (text: string) => `${text}원` : (text: string) => `₩${text}`;
  return {
    won: (amount) => won(numbers.format(amount)),
    wonShort: (amount) => shortWon(amount, language),
    dateTime: (at) => dateTime.format(new Date(at)),
    day: (at) => day.format(new Date(at)),
    time: (at) => time.format(new Date(at)),
    leaf: (at) => {
      const when = new Date(at);
      return { month: leafMonth.format(when), day: leafDay.format(when), weekday: leafWeekday.format(when) };
    },
    range: (first, last) => range.formatRange(new Date(first), new Date(last)),
    text: (text) => (language === "en" && text.en ? text.en : text.ko),
    list: (items) => list.format(items),
    number: (value) => numbers.format(value),
  };
}

/** Ten-thousands in Korean (만), thousands in English; exact where short wouldn't be shorter. */
export function shortWon(amount: number, language: Language): string {
  const unit = language === "ko" ? 10_000 : 1000;
  const sign = language === "ko" ? "" : "₩";
  if (amount < unit) return `${sign}${amount}${language === "ko" ? "원" : ""}`;
  const value = Math.round((amount / unit) * 10) / 10;
  return `${sign}${value.toLocaleString(language === "ko" ? "ko-KR" : "en-GB")}${language === "ko" ? "만" : "k"}`;
}
