import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { expect, phone, test, type Visitor } from "./page";
import { onSale, ownShow, Person } from "./world";

/** Time for a browser to sign up and come into the lobby. */
const LOBBY_MS = 12_000;

/** Saves what a button gives, and reads it. */
async function saved(page: Page, button: string): Promise<string> {
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
  return readFileSync(await file.path(), "utf8");
}

/** Signs up, comes into the lobby, and keeps the receipt. */
async function intoTheLobby(me: Visitor, show: string): Promise<string> {
  await me.page.goto(`/sign-in?next=/shows/${show}`);
  await me.signUp();
  await me.page.getByRole("button", { name: "줄 서기", exact: true }).click();
  await expect(me.page.getByText("추첨 대기실이에요")).toBeVisible();
  return saved(me.page, "파일로 저장");
}

async function workedOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: "처음부터 다시 계산하기" }).click();
  await expect(page.getByRole("button", { name: "한 번 더 계산하기" })).toBeEnabled();
}

test("anybody works a draw out again, and finds their number by the receipt; one entry that is dropped is found", async ({
  visitor,
}) => {
  const { show, performance } = await ownShow("추첨", { capacity: 1 }, LOBBY_MS);
  const others = await Promise.all(["하나", "둘", "셋"].map((name) => Person.signUp(name)));
  for (const person of others) expect((await person.join(performance)).state).toBe("lobby");
  const fan = await visitor();
  const receipt = await intoTheLobby(fan, show);
  await fan.accessible();

  const anybody = await visitor(phone);
  const { page } = anybody;
  await page.goto(`/performances/${performance}/draw`);
  await expect(page.getByText("추첨이 아직 끝나지 않았어요")).toBeVisible();
  await anybody.accessible();
  await expect(page.getByRole("button", { name: "처음부터 다시 계산하기" })).toBeVisible(); // by itself, after the opening
  await workedOut(page);
  await expect(page.getByText("모두 맞아요. 4명의 순서는")).toBeVisible();
  await expect(page.getByRole("listitem").filter({ hasText: "맞음" })).toHaveCount(6);
  await anybody.fits();
  await anybody.accessible();

  await page.getByLabel("영수증", { exact: true }).fill("아무 말");
  await page.getByRole("button", { name: "영수증 확인하기" }).click();
  await expect(page.getByText("영수증이 아니에요")).toBeVisible();
  await page.getByLabel("영수증", { exact: true }).fill(receipt);
  await page.getByRole("button", { name: "영수증 확인하기" }).click();
  const found = page.getByText(/이 영수증의 참가표는 \d번을 받았어요/);
  await expect(found).toBeVisible();
  await expect(page.getByText("시스템이 서명한 영수증이 맞아요")).toBeVisible();
  await expect(page.getByText("참가표가 이 계정과 값에서 나온 것이 맞아요")).toBeVisible();
  const number = /\d/.exec((await found.textContent()) ?? "")?.[0];
  await anybody.accessible();

  // A server that leaves somebody out is found out.
  await page.route("**/draw/tickets*", async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as { tickets: string[] };
    const { ticket } = JSON.parse((JSON.parse(receipt) as { statement: string }).statement) as { ticket: string };
    await route.fulfill({ response: answer, json: { tickets: body.tickets.filter((one) => one !== ticket) } });
  });
  await page.getByRole("button", { name: "한 번 더 계산하기" }).click();
  await expect(page.getByText("맞지 않는 것이 있어요")).toBeVisible();
  await expect(page.getByRole("listitem").filter({ hasText: "다름" }).first()).toContainText("참가표의 수");
  await page.getByLabel("영수증", { exact: true }).fill(receipt);
  await page.getByRole("button", { name: "영수증 확인하기" }).click();
  await expect(page.getByText("이 영수증의 참가표가 목록에 없어요")).toBeVisible();

  await fan.page.goto(`/performances/${performance}/line/why`);
  await expect(fan.page.getByText(`대기번호 ${number}`)).toBeVisible();
  await expect(fan.page.getByRole("listitem").first()).toContainText("줄을 섰어요");
  await fan.accessible();
});

test("why a seat was refused is told by positions in the log, signed, without a name", async ({ visitor }) => {
  const show = await ownShow("이유", { capacity: 5 });
  const [me, other] = [await visitor(), await Person.signUp("먼저온사람")];
  await other.join(show.performance);
  await other.hold(show.performance, [3]);
  await me.page.goto(`/sign-in?next=/shows/${show.show}`);
  await me.signUp();
  await me.page.getByRole("button", { name: "줄 서기", exact: true }).click();
  await expect(me.page).toHaveURL(/\/seats$/);
  await onSale(other, show.performance);
  const status = await me.page.evaluate(async (performance) => {
    const headers = { "content-type": "application/json", "idempotency-key": crypto.randomUUID() };
    const body = JSON.stringify({ hold_id: "01990000-0000-7000-8000-0000000000aa", seats: [3] });
    return (await fetch(`/v1/performances/${performance}/holds`, { method: "POST", headers, body })).status;
  }, show.performance);
  expect(status).toBe(409);

  await me.page.goto(`/performances/${show.performance}/line/why`);
  const refused = me.page.getByRole("listitem").filter({ hasText: "1층 A열 4번" });
  await expect(refused).toContainText(/기록 위치 [\d,]+에서 결정, 원인은 그보다 앞선 위치 [\d,]+의 일/);
  await expect(me.page.getByText("들어갔어요")).toBeVisible();
  const statement = await saved(me.page, "서명된 내용 저장");
  expect(statement).toContain("socketing.why.v1");
  expect(statement).not.toContain(other.account);
  await me.accessible();
});

const sha256 = (data: Buffer) => createHash("sha256").update(data).digest();

/** A draw of so many, as a server would publish it. */
function drawOf(people: number) {
  const tickets = Array.from({ length: people }, (_, n) => sha256(Buffer.from(`ticket ${n}`)).toString("hex")).sort();
  const seed = sha256(Buffer.from("a seed"));
  const root = sha256(Buffer.concat([Buffer.from("socketing-draw-v1\n"), Buffer.from(tickets.join(""), "hex")]));
  const key = Buffer.concat([seed, root]);
  const score = (ticket: string) => createHmac("sha256", key).update(Buffer.from(ticket, "hex")).digest("hex");
  const scored = tickets.map((ticket) => ({ ticket, score: score(ticket) }));
  scored.sort((a, b) => (a.score < b.score ? -1 : 1));
  const [commitment, opens] = [sha256(seed).toString("hex"), "2026-01-01T00:00:00Z"];
  const published = { commitment, root: root.toString("hex"), seed: seed.toString("hex"), entries: people };
  const positions = { committed_position: 1, closed_position: 2, revealed_position: 3, position: 9 };
  const draw = { ...published, ...positions, lobby_opens_at: opens, sale_opens_at: opens };
  return { draw, order: scored.map(({ ticket }) => ticket) };
}

/** How long the page once was busy without a turn for anybody else, in milliseconds, since this was asked for. */
async function longestWait(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const seen = window as unknown as { longest: number };
    let last = performance.now();
    seen.longest = 0;
    const tick = () => {
      const now = performance.now();
      seen.longest = Math.max(seen.longest, now - last);
      last = now;
      setTimeout(tick);
    };
    tick();
  });
  return () => page.evaluate(() => (window as unknown as { longest: number }).longest);
}

test("a hundred thousand are worked out in the browser, and the page stays quick meanwhile", async ({ visitor }) => {
  const { performance } = await ownShow("아주 큰 추첨");
  const { draw, order } = drawOf(100_000);
  const { page } = await visitor();
  await page.route(`**/v1/performances/${performance}/draw`, (route) => route.fulfill({ json: draw }));
  await page.route("**/draw/tickets?*", (route) => {
    const query = new URL(route.request().url()).searchParams;
    const [after, limit] = [Number(query.get("after")), Number(query.get("limit"))];
    return route.fulfill({
      json: { first_number: after + 1, tickets: order.slice(after, after + limit), position: 9 },
    });
  });
  await page.goto(`/performances/${performance}/draw`);
  await page.getByRole("button", { name: "처음부터 다시 계산하기" }).waitFor();
  const longest = await longestWait(page);
  await page.getByRole("button", { name: "처음부터 다시 계산하기" }).click();
  await expect(page.getByText(/순서를 계산하는 중 [1-9]\d?%/)).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText("모두 맞아요. 100,000명의 순서는")).toBeVisible({ timeout: 60_000 });
  expect(await longest()).toBeLessThan(1_000); // in its own thread it was 1.5 s on a busy machine
});
