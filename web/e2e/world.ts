// What the tests set up through the API: shows of their own, and people who are elsewhere.

import { type APIRequestContext, type APIResponse, expect, request } from "@playwright/test";
import { uuidv7 } from "../src/api/uuid";

export const BASE = process.env.SOCKETING_URL ?? "";
export const PASSWORD = "secret-enough";

/** The organiser that `socketing demo` makes, on loopback only. */
export const ORGANISER = { email: "organiser@socketing.example", password: "socketing-demo" };

export interface Policies {
  seats_per_person?: number;
  hold_seconds?: number;
  payment_seconds?: number;
  capacity?: number;
  session_seconds?: number;
  line?: { mode?: "draw" | "first_come" | "open"; claim_seconds?: number };
}

export interface OwnShow {
  show: string;
  performance: string;
  title: { ko: string; en: string };
}

async function done<T>(answer: APIResponse, what: string): Promise<T> {
  expect(answer.ok(), `${what}: ${answer.status()} ${await answer.text()}`).toBe(true);
  return (await answer.json()) as T;
}

/** Someone who uses the API instead of a page. */
export class Person {
  private constructor(
    private readonly http: APIRequestContext,
    readonly nickname: string,
    readonly account: string,
  ) {}

  static async signUp(nickname: string): Promise<Person> {
    const email = `${uuidv7()}@people.example`;
    return Person.of("accounts", { email, password: PASSWORD, nickname: `${nickname} ${email.slice(19, 36)}` });
  }

  static organiser(): Promise<Person> {
    return Person.of("sessions", ORGANISER);
  }

  private static async of(path: string, body: object): Promise<Person> {
    const anonymous = await request.newContext({ baseURL: BASE });
    const answer = await anonymous.post(`/v1/${path}`, { data: body });
    const { token, nickname, account_id } = await done<{ token: string; nickname: string; account_id: string }>(
      answer,
      path,
    );
    await anonymous.dispose();
    const http = await request.newContext({ baseURL: BASE, extraHTTPHeaders: { authorization: `Bearer ${token}` } });
    return new Person(http, nickname, account_id);
  }

  async command<T = Record<string, unknown>>(path: string, body?: object): Promise<T> {
    const answer = await this.http.post(`/v1/${path}`, {
      headers: { "idempotency-key": uuidv7() },
      ...(body && { data: body }),
    });
    return done<T>(answer, path);
  }

  async get<T>(path: string, minPosition?: number): Promise<T> {
    const answer = await this.http.get(`/v1/${path}`, {
      params: minPosition === undefined ? {} : { min_position: minPosition },
    });
    return done<T>(answer, path);
  }

  join(performance: string) {
    return this.command<{ state: string; number: number }>(`performances/${performance}/line`, { entry_id: uuidv7() });
  }

  leave(performance: string) {
    return this.command(`performances/${performance}/line/leave`);
  }

  async hold(performance: string, seats: number[]): Promise<string> {
    const hold_id = uuidv7();
    await this.command(`performances/${performance}/holds`, { hold_id, seats });
    return hold_id;
  }

  async book(performance: string, seats: number[]): Promise<string> {
    const [hold_id, booking_id] = [await this.hold(performance, seats), uuidv7()];
    await this.command(`performances/${performance}/bookings`, { booking_id, hold_id });
    return booking_id;
  }

  async buy(performance: string, seats: number[]): Promise<string> {
    const booking = await this.book(performance, seats);
    const pay = `performances/${performance}/bookings/${booking}/pay`;
    await this.command(pay, { payment_id: uuidv7(), method: "socketpay" });
    return booking;
  }
}

/** A hall of two areas: a floor of 3 rows with 8 seats and an aisle after the fourth, and a balcony of 2 rows with 6. */
function hall() {
  const rows: object[] = [];
  const seats: object[] = [];
  const row = (area: number, name: string, count: number, category: number, aisleAfter?: number) => {
    const index = rows.push({ area, name }) - 1;
    const first = seats.length;
    for (let at = 0; at < count; at += 1) {
      const left = at > 0 && at !== aisleAfter ? { left: first + at - 1 } : {};
      const right = at < count - 1 && at + 1 !== aisleAfter ? { right: first + at + 1 } : {};
      const position = { x: 25 * (at + (aisleAfter !== undefined && at >= aisleAfter ? 1 : 0)), y: 30 * index };
      seats.push({ id: `${index}-${at}`, number: String(at + 1), row: index, category, position, ...left, ...right });
    }
  };
  for (const name of ["A", "B", "C"]) row(0, name, 8, 0, 4);
  for (const name of ["D", "E"]) row(1, name, 6, 1);
  return {
    name: "시험 극장",
    categories: [
      { name: "R", color: "#1f7ae0" },
      { name: "S", color: "#12a67c" },
    ],
    areas: [{ name: "1층" }, { name: "2층" }],
    rows,
    seats,
    size: { x: 300, y: 200 },
  };
}

/** A show of the test's own, on sale now, or in so many milliseconds: until then its lobby is open. */
export async function ownShow(name: string, policies: Policies = {}, opensInMs = -1000): Promise<OwnShow> {
  const organiser = await Person.organiser();
  const { plan } = await organiser.command<{ plan: string }>("plans", hall());
  const [show, performance] = [uuidv7(), uuidv7()];
  const title = { ko: `${name} ${show.slice(-6)}`, en: `${name} in English ${show.slice(-6)}` };
  const now = Date.now();
  await organiser.command("shows", {
    show_id: show,
    title,
    venue: { ko: "시험 극장", en: "Test Theatre" },
    plan,
    dates: [{ performance, starts_at: new Date(now + 30 * 86_400_000).toISOString() }],
    prices: [
      { category: "R", price: 150_000 },
      { category: "S", price: 90_000 },
    ],
    sale_opens_at: new Date(now + opensInMs).toISOString(),
    policies,
  });
  await organiser.command(`shows/${show}/publish`);
  await onSale(organiser, performance);
  return { show, performance, title };
}

/** Waits until the performance and its line stand: publishing reaches them a moment later. */
export async function onSale(person: Person, performance: string): Promise<void> {
  await expect
    .poll(async () => {
      const about = await person
        .get<{ remaining: unknown[] }>(`performances/${performance}`)
        .catch(() => ({ remaining: [] }));
      return about.remaining.length;
    })
    .toBeGreaterThan(0);
}
