import { describe, expect, it } from "vitest";
import { announcementDue, clockText, parts, remaining, ServerClock, untilNextTick } from "./clock";

describe("the server's clock", () => {
  const at = (ms: number) => new Date(ms).toISOString();

  it("is the local one until the server told its own", () => {
    expect(new ServerClock(() => 5000).now()).toBe(5000);
  });

  it("corrects a wrong local clock by half the round trip", () => {
    let local = 1_000_000;
    const clock = new ServerClock(() => local);
    local += 200; // sent at 1,000,000, answered 200 ms later
    clock.sample(at(7_000_100), 1_000_000);
    expect(clock.now()).toBe(7_000_200);
  });

  it("believes the quickest answer", () => {
    let local = 0;
    const clock = new ServerClock(() => local);
    local = 4000;
    clock.sample(at(100_000), 0); // slow: could be off by 2 s
    local = 5000;
    clock.sample(at(104_990), 4980); // 20 ms
    expect(clock.offsetMs()).toBe(99_990 + 10);
  });

  it("forgets old answers, as clocks drift", () => {
    let local = 0;
    const clock = new ServerClock(() => local);
    clock.sample(at(1000), 0);
    local = 11 * 60_000;
    clock.sample(at(local + 50), local - 400);
    expect(clock.offsetMs()).toBe(250);
  });

  it("takes no nonsense", () => {
    const clock = new ServerClock(() => 7);
    clock.sample("yesterday", 0);
    expect(clock.now()).toBe(7);
  });
});

describe("a countdown", () => {
  it("shows each second until it is over, and is over only then", () => {
    expect(remaining(10_000, 7_500)).toEqual({ seconds: 3, over: false });
    expect(remaining(10_000, 9_999)).toEqual({ seconds: 1, over: false });
    expect(remaining(10_000, 10_000)).toEqual({ seconds: 0, over: true });
    expect(remaining(10_000, 99_000)).toEqual({ seconds: 0, over: true });
  });

  it("ticks where the shown second changes", () => {
    for (const now of [0, 1, 499, 2500, 9999]) {
      const wait = untilNextTick(10_000, now);
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(1000);
      expect(remaining(10_000, now + wait).seconds).toBe(remaining(10_000, now).seconds - 1);
    }
  });

  it("is written as clocks are", () => {
    expect(clockText(5)).toBe("0:05");
    expect(clockText(125)).toBe("2:05");
    expect(clockText(3725)).toBe("1:02:05");
    expect(parts(90_061)).toEqual({ days: 1, hours: 1, minutes: 1, seconds: 1 });
  });

  it("is read out at 60, 30 and 10 seconds, each once, though seconds are skipped", () => {
    const heard: number[] = [];
    let before = 125;
    for (const now of [61, 60, 59, 29, 28, 11, 4, 3, 0]) {
      const due = announcementDue(before, now);
      if (due !== undefined) heard.push(due);
      before = now;
    }
    expect(heard).toEqual([60, 30, 10]);
    expect(announcementDue(120, 5)).toBe(10); // woken from sleep: the latest only
    expect(announcementDue(20, 0)).toBeUndefined(); // over is told otherwise
  });
});
