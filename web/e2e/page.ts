// What a person does on the pages, and what every test holds them to.

import {
  type Browser,
  type BrowserContextOptions,
  test as base,
  expect,
  type Locator,
  type Page,
} from "@playwright/test";
import axe from "axe-core";
import { uuidv7 } from "../src/api/uuid";
import { type OwnShow, PASSWORD } from "./world";

/** What the browser says of a refused request is no fault of the page. */
const REFUSED = /^Failed to load resource: the server responded with a status of (401|403|404|409)/;

/** A new account's wallet is opened a moment after the account: until then it is asked for again. */
const WALLET_OPENING = /status of 503 .*\/v1\/me\/wallet/;

/** A browser of one person's own; what the page complains of fails the test. */
export class Visitor {
  readonly complaints: string[] = [];
  readonly email = `${uuidv7()}@people.example`;
  nickname = "";

  private constructor(readonly page: Page) {
    page.on("console", (message) => {
      const text = message.text();
      const expected = REFUSED.test(text) || WALLET_OPENING.test(`${text} ${message.location().url}`);
      if (message.type() === "error" && !expected) this.complaints.push(text);
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  static async open(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext(options);
    return new Visitor(await context.newPage());
  }

  /** Signs up as someone new: the one form says that the address is unknown, and goes on from there. */
  async signUp(nickname?: string): Promise<void> {
    const { page } = this;
    await page.getByLabel("이메일").fill(this.email);
    await page.getByLabel("비밀번호", { exact: true }).fill(PASSWORD);
    await page.getByRole("button", { name: "계속하기" }).click();
    await expect(page.getByRole("alert")).toContainText("아직 가입되지 않은 이메일");
    if (nickname) {
      this.nickname = `${nickname} ${this.email.slice(24, 36)}`;
      await page.getByLabel("별명").fill(this.nickname);
    }
    await page.getByRole("button", { name: "이대로 가입하기" }).click();
    await expect(page.getByRole("link", { name: /SocketPay 잔액 500,000원/ })).toBeVisible();
  }

  seat(index: number): Locator {
    return this.page.locator(`[data-seat="${index}"]`);
  }

  /** The seats that are shown as one's own. */
  mine(): Locator {
    return this.page.locator('[data-seat][data-state="mine"]');
  }

  /** The seat, as everybody sees it now. */
  async sees(index: number, state: "free" | "held" | "paying" | "sold" | "mine"): Promise<void> {
    await expect(this.seat(index)).toHaveAttribute("data-state", state);
  }

  /** The page has no serious fault that axe knows of, as it stands now. */
  async accessible(): Promise<void> {
    await this.page.evaluate(axe.source);
    const serious = await this.page.evaluate(async () => {
      const { axe } = window as unknown as { axe: typeof import("axe-core") };
      const { violations } = await axe.run(document, { resultTypes: ["violations"] });
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(
          ({ id, nodes }) =>
            `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`,
        );
    });
    expect(serious, `axe on ${this.page.url()}`).toEqual([]);
  }

  /** Nothing is wider than the screen. */
  async fits(): Promise<void> {
    const { content, screen } = await this.page.evaluate(() => ({
      content: document.documentElement.scrollWidth,
      screen: document.documentElement.clientWidth,
    }));
    expect(content, `${this.page.url()} is wider than the screen`).toBeLessThanOrEqual(screen);
  }
}

/** Tests with as many visitors as they want, each with a browser of their own. */
export const test = base.extend<{ visitor: (options?: BrowserContextOptions) => Promise<Visitor> }>({
  visitor: async ({ browser }, use) => {
    const visitors: Visitor[] = [];
    await use(async (options) => {
      const visitor = await Visitor.open(browser, options);
      visitors.push(visitor);
      return visitor;
    });
    for (const { complaints, page } of visitors) {
      expect(complaints, "what the browser complained of").toEqual([]);
      await page.context().close();
    }
  },
});

/** Signs up and goes to the seats of a show that has room. */
export async function inside(me: Visitor, { show, performance }: OwnShow): Promise<void> {
  await me.page.goto(`/sign-in?next=/shows/${show}`);
  await me.signUp();
  await me.page.getByRole("button", { name: "줄 서기", exact: true }).click();
  await expect(me.page).toHaveURL(new RegExp(`${performance}/seats`));
  await me.page.getByRole("button", { name: /^1층/ }).click();
}

/** The page hears of changes only once `arrive` is called: the moment between a press and the news is then as long as a test needs. */
export async function heldBack(page: Page): Promise<{ arrive: () => void }> {
  const waiting: (() => void)[] = [];
  let open = false;
  await page.routeWebSocket(/\/v1\/live/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      const pass = () => socket.send(message);
      if (open || !String(message).startsWith('{"type":"delta"')) pass();
      else waiting.push(pass);
    });
  });
  return {
    arrive() {
      open = true;
      for (const pass of waiting) pass();
    },
  };
}

export const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
export const smallPhone: BrowserContextOptions = {
  viewport: { width: 320, height: 640 },
  hasTouch: true,
  isMobile: true,
};
export const dark: BrowserContextOptions = { colorScheme: "dark" };
export { expect };
