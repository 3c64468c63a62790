import { expect, phone, test, type Visitor } from "./page";
import { ORGANISER, ownShow, Person } from "./world";

async function asOrganiser(me: Visitor, next: string): Promise<void> {
  await me.page.goto(`/sign-in?next=${next}`);
  await me.page.getByLabel("이메일").fill(ORGANISER.email);
  await me.page.getByLabel("비밀번호", { exact: true }).fill(ORGANISER.password);
  await me.page.getByRole("button", { name: "계속하기" }).click();
}

/** Presses a button that asks first, and says why. */
async function act(me: Visitor, name: string, reason: string): Promise<void> {
  await me.page.getByRole("button", { name, exact: true }).click();
  const dialog = me.page.getByRole("dialog");
  await dialog.getByLabel("이유").fill(reason);
  await dialog.getByRole("button", { name, exact: true }).click();
  await expect(dialog).toBeHidden();
}

test("an organiser pauses, limits, evicts and resumes; it is live, and stays with who and why", async ({ visitor }) => {
  const { show, performance } = await ownShow("운영", { capacity: 3 });
  const me = await visitor();
  const { page } = me;
  await asOrganiser(me, `/shows/${show}`);
  await page.getByRole("link", { name: "이 회차 운영하기" }).click();
  await expect(page.getByTestId("flow")).toHaveText("움직이는 중");
  await expect(page.getByText("아직 아무 일도 하지 않았어요.")).toBeVisible();
  await me.accessible();

  await page.getByRole("button", { name: "멈추기", exact: true }).click();
  await me.accessible();
  await page.getByRole("dialog").getByRole("button", { name: "취소" }).click();
  await expect(page.getByTestId("flow")).toHaveText("움직이는 중");
  await act(me, "멈추기", "환기합니다");
  await expect(page.getByTestId("flow")).toHaveText("멈춤");
  const fan = await Person.signUp("기다리는사람");
  expect((await fan.join(performance)).state).toBe("waiting");
  const figure = (name: string) => page.locator("dt", { hasText: name }).locator("xpath=following-sibling::dd");
  await expect(figure("기다리는 팀")).toHaveText("1"); // live

  await page.getByLabel("한꺼번에 들어올 수 있는 사람 수").fill("7");
  await page.getByLabel(/^1분에 부르는 사람 수/).fill("600");
  await act(me, "한도 바꾸기", "천천히");
  await expect(figure("한꺼번에 들어올 수 있는 사람")).toHaveText("7");
  await act(me, "다시 움직이기", "환기가 끝났어요");
  await expect(figure("기다리는 팀")).toHaveText("0");
  await expect(figure("안에 있는 팀")).toHaveText("1");
  await page.getByLabel("별명").fill(fan.nickname);
  await act(me, "자리 거두기", "매크로");
  await expect(figure("안에 있는 팀")).toHaveText("0");
  await act(me, "새로 받지 않기", "매진이 가까워요");
  await expect(page.getByTestId("flow")).toHaveText("새로 받지 않음");
  const acts = page.getByRole("listitem");
  await expect(acts).toHaveCount(5);
  await expect(acts.nth(0)).toContainText("매진이 가까워요");
  await expect(acts.nth(1)).toContainText("대기번호 1의 자리를 거두었어요");
  await expect(acts.nth(3)).toContainText("한도를 바꿨어요: 한꺼번에 7명, 1분에 600");
  await expect(acts.nth(4)).toContainText("소케팅기획");
  await expect(page.getByRole("row", { name: /^R / })).toContainText("24");
  await me.accessible();
});

test("a value from outside is mixed in once, before the seed is published", async ({ visitor }) => {
  const { performance } = await ownShow("바깥의 값", {}, 600_000);
  const me = await visitor(phone);
  const { page } = me;
  await asOrganiser(me, `/performances/${performance}/run`);
  await page.getByLabel("값", { exact: true }).fill("8f3a");
  await page.getByLabel(/^출처/).fill("drand, round 4711");
  await page.getByRole("button", { name: "섞기" }).tap();
  await page.getByRole("dialog").getByRole("button", { name: "섞기" }).tap();
  await expect(page.getByRole("listitem").first()).toContainText("바깥의 값을 섞었어요: 8f3a (drand, round 4711)");
  await expect(page.getByRole("button", { name: "섞기" })).toHaveCount(0);
  await me.fits();
  await page.goto(`/performances/${performance}/draw`);
  await expect(page.getByText("8f3a (drand, round 4711)")).toBeVisible();
});

test("nobody else runs a line", async ({ visitor }) => {
  const { performance } = await ownShow("남의 대기열");
  const me = await visitor();
  await me.page.goto(`/sign-in?next=/performances/${performance}/run`);
  await me.signUp();
  await expect(me.page.getByRole("alert")).toBeVisible();
  await expect(me.page.getByRole("button", { name: "멈추기" })).toHaveCount(0);
});
