import { expect, phone, test, type Visitor } from "./page";
import { ownShow, Person } from "./world";

test("from sign-up to ticket, with the keyboard alone", async ({ visitor }) => {
  // One place inside, and someone is in it: so there is a line.
  const { show, performance, title } = await ownShow("밤의 낭독회", { capacity: 1 });
  const first = await Person.signUp("먼저온사람");
  expect((await first.join(performance)).state).toBe("inside");

  const me = await visitor();
  const { page } = me;
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("공연");
  await expect(page.getByRole("link", { name: title.ko })).toBeVisible();
  await me.accessible();

  await page.goto(`/shows/${show}`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(title.ko);
  await expect(page.getByText("24석 중 24석 남음")).toBeVisible();
  await me.accessible();
  await press(me, "link", "로그인하고 줄 서기");
  await me.accessible();
  await signUpByKeyboard(me);

  await expect(page).toHaveURL(new RegExp(`/shows/${show}`));
  await press(me, "button", "줄 서기");
  await expect(page).toHaveURL(/\/line$/);
  await expect(page.getByRole("progressbar")).toBeVisible();
  await expect(page.getByText("다음 차례예요").first()).toBeVisible();
  await me.accessible();
  await first.leave(performance);

  await expect(page).toHaveURL(/\/seats$/);
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  await me.accessible();
  await press(me, "button", /^1층/);
  await expect(page.getByRole("heading", { level: 2, name: "1층" })).toBeFocused();

  // Row A, seat 1; right to seat 3; down to row B.
  await tabTo(me, me.seat(0));
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await expect(me.seat(2)).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(me.seat(10)).toBeFocused();
  await page.keyboard.press("Enter");
  await me.sees(10, "mine");
  await expect(me.seat(10)).toHaveAccessibleName("3번, 150,000원, 내 좌석");
  await expect(page.getByTestId("announcements")).toContainText("1층 B열 3번을 잡았어요.");
  await expect(page.getByRole("timer").first()).toBeVisible();
  await me.accessible();

  await page.reload(); // the hold is the server's
  await me.sees(10, "mine");
  await press(me, "button", "예매하기");
  await expect(page).toHaveURL(/\/pay$/);
  await expect(page.getByText("지금 잔액")).toBeVisible();
  await page.reload(); // everything comes by the booking's id
  await expect(page.getByText("350,000원")).toBeVisible();
  await me.accessible();
  await press(me, "button", "150,000원 결제하기");

  await expect(page).toHaveURL(/\/done$/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("예매가 끝났어요");
  await expect(page.getByRole("article")).toContainText(title.ko);
  await expect(page.getByRole("link", { name: /SocketPay 잔액 350,000원/ })).toBeVisible();
  await me.accessible();
  await press(me, "link", "내 티켓 보기");
  await expect(page.getByRole("article")).toContainText(title.ko);
  await me.accessible();
});

test("from sign-up to ticket, on a phone", async ({ visitor }) => {
  const { show, title } = await ownShow("낮의 낭독회");
  const me = await visitor(phone);
  const { page } = me;
  await page.goto(`/shows/${show}`);
  await me.fits();
  await page.getByRole("link", { name: "로그인하고 줄 서기" }).tap();
  await me.signUp();
  await page.getByRole("button", { name: "줄 서기", exact: true }).tap();

  await expect(page).toHaveURL(/\/seats$/); // there is room: no wait
  await me.fits();
  await page.getByRole("button", { name: /^2층/ }).tap();
  await me.fits();
  await me.seat(26).tap();
  await me.sees(26, "mine");
  await me.seat(27).tap();
  await me.sees(27, "mine");
  await expect(page.getByText("2석 · 180,000원")).toBeVisible();
  await me.seat(26).tap(); // a second tap gives it up again
  await me.sees(26, "free");
  await page.getByRole("button", { name: "예매하기" }).tap();
  await expect(page).toHaveURL(/\/pay$/);
  await me.fits();
  await page.getByRole("button", { name: "90,000원 결제하기" }).tap();
  await expect(page).toHaveURL(/\/done$/);
  await me.fits();
  await page.getByRole("link", { name: "내 티켓 보기" }).tap();
  await expect(page.getByRole("article")).toContainText(title.ko);
  await me.fits();
});

async function signUpByKeyboard(me: Visitor): Promise<void> {
  const { page } = me;
  await tabTo(me, page.getByLabel("이메일"));
  await page.keyboard.type(me.email);
  await tabTo(me, page.getByLabel("비밀번호", { exact: true }));
  await page.keyboard.type("secret-enough");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText(me.email);
  await expect(page.getByLabel("별명")).toBeFocused();
  await page.keyboard.press("Enter");
}

/** Reaches something with Tab, and presses it. */
async function press(me: Visitor, role: "button" | "link", name: string | RegExp): Promise<void> {
  const exact = typeof name === "string" ? { name, exact: true } : { name };
  await tabTo(me, me.page.getByRole(role, exact).first());
  await me.page.keyboard.press("Enter");
}

const TABS_MAX = 60;

async function tabTo(me: Visitor, target: import("@playwright/test").Locator): Promise<void> {
  await expect(target).toBeEnabled();
  for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await me.page.keyboard.press("Tab");
  }
  throw new Error(`Tab doesn't reach ${target} in ${TABS_MAX} steps`);
}
