import { readFileSync } from "node:fs";
import enErrors from "virtual:errors/en";
import koErrors from "virtual:errors/ko";
import { describe, expect, it } from "vitest";
import { Problem, Unreachable } from "../api/problem";
import { failureText } from "../ui/failure-text";
import { en } from "./en";
import { makeFormat, shortWon } from "./format";
import { preferredLanguage } from "./index";
import { ko } from "./ko";
import { enMore } from "./more/en";
import { koMore } from "./more/ko";

/** Every text of a dictionary, by its path; functions are called with plausible values. */
function texts(node: unknown, path = ""): Map<string, string> {
  if (typeof node === "string") return new Map([[path, node]]);
  if (typeof node === "function") return new Map([[path, String((node as (...args: unknown[]) => string)(2, 3, 4))]]);
  const entries = Object.entries(node as Record<string, unknown>);
  return new Map(entries.flatMap(([name, child]) => [...texts(child, `${path}.${name}`)]));
}

describe("the dictionaries", () => {
  const [korean, english] = [texts({ ...ko, more: koMore }), texts({ ...en, more: enMore })];

  it("have the same texts, none of them empty", () => {
    expect([...english.keys()]).toEqual([...korean.keys()]);
    for (const [path, text] of [...korean, ...english]) expect(text.trim(), path).not.toBe("");
  });

  it("are each in their own language", () => {
    for (const [path, text] of english) expect(text, path).not.toMatch(/[가-힣]/);
    const names = new Set([".pay.socketpay"]);
    for (const [path, text] of korean) if (!names.has(path)) expect(text, path).toMatch(/[가-힣]|^\d+%?/);
  });

  it("fill in what they are given", () => {
    expect(en.seats(1)).toBe("1 seat");
    expect(en.seats(2)).toBe("2 seats");
    expect(ko.seatsPage.seatName("A구역", "3", "12")).toBe("A구역 3열 12번");
  });
});

describe("the texts of errors", () => {
  const file = readFileSync(new URL("../../../service/errors.json", import.meta.url), "utf8");
  const codes = (JSON.parse(file) as { errors: { code: string }[] }).errors.map(({ code }) => code);

  it("are those of the server's catalogue, all of them, in both languages", () => {
    expect(codes.length).toBeGreaterThan(50);
    for (const texts of [koErrors, enErrors]) {
      expect(Object.keys(texts).sort()).toEqual([...codes].sort());
      for (const { title, hint } of Object.values(texts)) expect(title.length * hint.length).toBeGreaterThan(0);
    }
    expect(koErrors.seat_taken?.title).toMatch(/[가-힣]/);
    expect(enErrors.seat_taken?.title).not.toMatch(/[가-힣]/);
  });

  it("know every code that the page itself looks for", () => {
    for (const code of ["seat_taken", "sale_not_open", "unknown_email", "email_taken", "not_in_line", "not_admitted"]) {
      expect(codes).toContain(code);
    }
  });

  it("are shown for a problem, with the time to try again", () => {
    const [format, closed] = [
      makeFormat("en"),
      new Problem(409, { code: "sale_not_open", retry_at: "2030-05-01T11:00:00Z" }),
    ];
    const { title, hint } = failureText(closed, en, enErrors, format);
    expect(title).toBe(enErrors.sale_not_open?.title);
    expect(hint).toContain("1 May");
    expect(hint).toContain("20:00"); // in Seoul
  });

  it("have words for what isn't the server's", () => {
    const format = makeFormat("ko");
    expect(failureText(new Unreachable("x"), ko, koErrors, format).title).toBe(ko.failure.unreachable);
    expect(failureText(new Error("x"), ko, koErrors, format).title).toBe(ko.failure.unexpected);
    expect(failureText(new Problem(418, { code: "teapot" }), ko, koErrors, format).title).toBe(ko.failure.unexpected);
  });
});

describe("the language", () => {
  it("is what was chosen, else what the browser asks for", () => {
    expect(preferredLanguage("en", ["ko-KR"])).toBe("en");
    expect(preferredLanguage(null, ["ko-KR", "en"])).toBe("ko");
    expect(preferredLanguage(null, ["fr-FR"])).toBe("en");
    expect(preferredLanguage("klingon", [])).toBe("ko");
  });

  it("writes money and time as its readers do, in Seoul", () => {
    const [korean, english] = [makeFormat("ko"), makeFormat("en")];
    expect(korean.won(132_000)).toBe("132,000원");
    expect(english.won(132_000)).toBe("₩132,000");
    expect([shortWon(187_000, "ko"), shortWon(70_000, "ko"), shortWon(9000, "ko")]).toEqual([
      "18.7만",
      "7만",
      "9000원",
    ]);
    expect([shortWon(187_000, "en"), shortWon(187_500, "en"), shortWon(900, "en")]).toEqual([
      "₩187k",
      "₩187.5k",
      "₩900",
    ]);
    expect(korean.dateTime("2026-12-24T10:30:00Z")).toMatch(/^12월 24일 \(목\) (오후|PM) 7:30$/);
    expect(english.leaf("2026-12-24T15:30:00Z").day).toBe("25");
    expect(english.text({ ko: "밤" })).toBe("밤");
  });
});
