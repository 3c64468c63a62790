// Makes the picture of the README: the demo's show with a crowd at it, on a desk and on a phone. It lands in
// test-results; SOCKETING_PICTURE names another place (`npm run picture` the committed one).

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Page } from "@playwright/test";
import { expect, phone, test, type Visitor } from "./page";
import { Person } from "./world";

const PICTURE = process.env.SOCKETING_PICTURE ?? "test-results/seats.png";

interface Plan {
  seats: { row: number; right?: number }[];
  rows: { area: number; name: string }[];
}

test("the picture of the README", async ({ visitor, browser }) => {
  const { show, performance, plan, free } = await demoShow();
  const mine = pair(plan, ["2", "3", "4", "5"], free);
  const ours = pair(plan, ["3", "4", "5", "6"], (seat) => free(seat) && !mine.includes(seat));
  await crowd(performance, plan, (seat) => free(seat) && !mine.includes(seat) && !ours.includes(seat));

  const desk = await visitor();
  await choose(desk, show, performance, mine);
  await desk.page.evaluate(() => scrollTo(0, 0));
  const wide = await desk.page.screenshot();

  const small = await visitor({ ...phone, deviceScaleFactor: 2 });
  await choose(small, show, performance, ours);
  await small.seat(ours[0] ?? 0).evaluate((seat) => seat.scrollIntoView({ block: "center" }));
  const narrow = await small.page.screenshot();

  const page = await browser.newPage({ viewport: { width: 1480, height: 850 } });
  await compose(page, wide, narrow);
  const picture = await page.screenshot();
  await mkdir(dirname(PICTURE), { recursive: true });
  await writeFile(PICTURE, picture);
  expect(picture.length).toBeGreaterThan(50_000);
});

/** The show that `socketing demo` has on sale, and its first date. */
async function demoShow(): Promise<{
  show: string;
  performance: string;
  plan: Plan;
  free: (seat: number) => boolean;
}> {
  const organiser = await Person.organiser();
  interface Listed {
    show_id: string;
    title: { en?: string };
    performances: { performance_id: string }[];
  }
  const { shows } = await organiser.get<{ shows: Listed[] }>("shows?mine=true&limit=200");
  const found = shows.find(({ title }) => title.en === "Starlight Circus");
  const performance = found?.performances[0]?.performance_id;
  if (!found || !performance) throw new Error("the demo's show is missing: `socketing demo` loads it");
  const { plan } = await organiser.get<{ plan: string }>(`shows/${found.show_id}`);
  const { seats } = await organiser.get<{ seats: string }>(`performances/${performance}/seats`);
  return {
    show: found.show_id,
    performance,
    plan: await organiser.get<Plan>(`plans/${plan}`),
    free: (seat) => seats[seat] === "0",
  };
}

/** Two neighbours in the middle of the first of these rows that has some. */
function pair(plan: Plan, rows: readonly string[], free: (seat: number) => boolean): number[] {
  for (const seats of rows.map((name) => row(plan, name))) {
    const middle = seats.length / 2 - 1;
    const starts = seats.map((_, at) => at).sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
    const neighbours = (at: number) => plan.seats[seats[at] ?? -1]?.right === seats[at + 1];
    const start = starts.find((at) => neighbours(at) && seats.slice(at, at + 2).every(free));
    if (start !== undefined) return seats.slice(start, start + 2);
  }
  throw new Error("the demo's show has no two free seats left in its first rows: start with a fresh database");
}

/** The seats of a row of the floor. */
function row(plan: Plan, name: string): number[] {
  const index = plan.rows.findIndex((one) => one.area === 0 && one.name === name);
  return plan.seats.flatMap((seat, at) => (seat.row === index ? [at] : []));
}

/** Others who hold, book and buy seats all over the floor's first rows, the same ones every time. */
async function crowd(performance: string, plan: Plan, free: (seat: number) => boolean): Promise<void> {
  const doing = ["buy", "buy", "hold", "book", "buy", "hold"] as const;
  for (const [nth, name] of ["1", "2", "3", "4", "5", "6"].entries()) {
    const seats = row(plan, name);
    for (const [place, at] of [1, 4, 9, 12].entries()) {
      const two = seats.slice(at + (nth % 3), at + (nth % 3) + 2);
      if (two.length < 2 || !two.every(free)) continue;
      const person = await Person.signUp("관객");
      await person.join(performance);
      await person[doing[(nth * 3 + place * 2) % doing.length] ?? "buy"](performance, two);
    }
  }
}

async function choose(me: Visitor, show: string, performance: string, seats: readonly number[]): Promise<void> {
  await me.page.goto(`/sign-in?next=${encodeURIComponent(`/shows/${show}?date=${performance}`)}`);
  await me.signUp();
  await me.page.getByRole("button", { name: "줄 서기", exact: true }).click();
  await expect(me.page).toHaveURL(/\/seats$/);
  await me.page.getByRole("button", { name: /^1층/ }).click();
  for (const seat of seats) {
    await me.seat(seat).click();
    await me.sees(seat, "mine");
  }
}

/** Both pages on one sheet, the phone before the desk. */
async function compose(page: Page, wide: Buffer, narrow: Buffer): Promise<void> {
  const source = (png: Buffer) => `data:image/png;base64,${png.toString("base64")}`;
  await page.setContent(`
    <style>
      body { margin: 0; width: 1480px; height: 850px; background: #e4e4de; position: relative; overflow: hidden; }
      img { position: absolute; display: block; box-shadow: 0 30px 60px -20px rgb(21 24 26 / 0.45); }
      #wide { left: 44px; top: 52px; width: 1160px; border-radius: 14px; }
      #narrow { right: 44px; bottom: 40px; width: 312px; border-radius: 30px; border: 7px solid #15181a; }
    </style>
    <img id="wide" src="${source(wide)}"><img id="narrow" src="${source(narrow)}">`);
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
}
