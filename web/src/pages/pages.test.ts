import { describe, expect, it } from "vitest";
import type { ShowSummary } from "../api/client";
import { safeNext } from "../routes";
import { auditorium } from "../ui/motif";
import { calendarEntry } from "./calendar";
import { move, placeOf, shareDone } from "./line-progress";
import { priceRange, seatsOfShow, span, statusOf } from "./show-status";

const at = (text: string) => Date.parse(text);
const now = at("2030-05-01T10:00:00Z");

describe("how a show stands", () => {
  const status = (opensAt: string, lastStart: string | undefined, seats?: { seats: number; free: number }) =>
    statusOf({ opensAt, lastStart, seats }, now);

  it("follows the server's clock and the seats", () => {
    expect(status("2030-05-01T10:00:01Z", "2030-06-01T10:00:00Z")).toBe("soon");
    expect(status("2030-05-01T10:00:00Z", "2030-06-01T10:00:00Z")).toBe("onSale");
    expect(status("2030-04-01T10:00:00Z", "2030-06-01T10:00:00Z", { seats: 100, free: 9 })).toBe("few");
    expect(status("2030-04-01T10:00:00Z", "2030-06-01T10:00:00Z", { seats: 100, free: 0 })).toBe("soldOut");
    expect(status("2030-04-01T10:00:00Z", "2030-05-01T10:00:00Z", { seats: 100, free: 50 })).toBe("ended");
    expect(status("2030-04-01T10:00:00Z", undefined)).toBe("ended");
  });

  it("counts the seats of the dates to come, if all are told", () => {
    const date = (starts_at: string, free?: number) => ({
      performance_id: starts_at,
      starts_at,
      ...(free !== undefined && { seats: 10, free }),
    });
    const show = (...performances: ShowSummary["performances"]) => ({ performances }) as ShowSummary;
    expect(seatsOfShow(show(date("2030-04-01T10:00:00Z", 9), date("2030-06-01T10:00:00Z", 4)), now)).toEqual({
      seats: 10,
      free: 4,
    });
    expect(seatsOfShow(show(date("2030-06-01T10:00:00Z")), now)).toBeUndefined();
    expect(span(show(date("2030-07-01T10:00:00Z"), date("2030-06-01T10:00:00Z")))).toEqual({
      first: "2030-06-01T10:00:00Z",
      last: "2030-07-01T10:00:00Z",
    });
    expect(span(show())).toBeUndefined();
    expect(priceRange([{ price: 5 }, { price: 3 }])).toEqual({ low: 3, high: 5 });
  });
});

describe("the place in line", () => {
  const counters = {
    waiting: 30,
    inside: 5,
    admitted_number: 5,
    admitted: 5,
    joined_number: 40,
    capacity: 5,
    phase: "line" as const,
  };

  it("falls with everyone who is called or gives up ahead, not behind", () => {
    let place = placeOf({ ...counters, ahead: 20 }, 99);
    place = move(place, 26, { ...counters, admitted: 8, departed: [] });
    expect(place.ahead).toBe(17);
    place = move(place, 26, { ...counters, admitted: 8, departed: [10, 25, 26, 27, 39] });
    expect(place.ahead).toBe(15);
    place = move(place, 26, { ...counters, admitted: 60 });
    expect(place.ahead).toBe(0);
  });

  it("is the server's count where it counts, and the known one until it does", () => {
    expect(placeOf(counters, 12).ahead).toBe(12);
    expect(move(placeOf(counters, 12), 26, { ...counters, ahead: 3 }).ahead).toBe(3);
  });

  it("is a share of the way", () => {
    expect(shareDone(20, 20)).toBe(0);
    expect(shareDone(20, 5)).toBe(0.75);
    expect(shareDone(20, 0)).toBe(1);
    expect(shareDone(0, 0)).toBe(1);
    expect(shareDone(20, 30)).toBe(0);
  });
});

describe("addresses", () => {
  it("never lead to another site after signing in", () => {
    expect(safeNext("/shows/1?date=2")).toBe("/shows/1?date=2");
    for (const bad of [null, "", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"]) {
      expect(safeNext(bad)).toBe("/");
    }
  });
});

describe("a calendar entry", () => {
  it("is well-formed, with its special letters escaped and its lines short", () => {
    const title = "밤의 교향악, 제1부; 긴 제목이 아주 길어서 한 줄에 다 들어가지 않는 공연의 이름";
    const text = calendarEntry(
      { id: "b", title, place: "Hall", startsAt: "2030-05-01T10:30:00Z", seats: ["A 1열 2번", "A 1열 3번"] },
      new Date(now),
    );
    const lines = text.split("\r\n");
    expect(lines[0]).toBe("BEGIN:VCALENDAR");
    expect(text).toContain("DTSTART:20300501T103000Z\r\n");
    expect(text).toContain("DTEND:20300501T123000Z\r\n");
    for (const line of lines) expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75);
    const unfolded = text.replaceAll("\r\n ", "");
    expect(unfolded).toContain("SUMMARY:밤의 교향악\\, 제1부\\; 긴");
    expect(unfolded).toContain("DESCRIPTION:A 1열 2번\\nA 1열 3번");
  });
});

describe("a show's picture", () => {
  it("is always the same for a show, differs between shows, and shows what is sold", () => {
    expect(auditorium("a", 0.3)).toEqual(auditorium("a", 0.3));
    expect(auditorium("a", 0.3)).not.toEqual(auditorium("b", 0.3));
    const share = (lit: number) => {
      const dots = auditorium("a", lit);
      return dots.filter((dot) => dot.lit).length / dots.length;
    };
    expect(share(0)).toBe(0);
    expect(share(1)).toBe(1);
    expect(share(0.5)).toBeGreaterThan(0.35);
    expect(share(0.5)).toBeLessThan(0.65);
  });
});
