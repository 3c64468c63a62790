import { expect, heldBack, inside, phone, test } from "./page";
import { ownShow, Person } from "./world";

test("good seats for so many are shown with how they lie and what they cost, and are held with one tap", async ({
  visitor,
}) => {
  const show = await ownShow("좋은 자리", { seats_per_person: 5 });
  const me = await visitor(phone);
  const { page } = me;
  await inside(me, show);
  await page.getByRole("button", { name: "한 명 늘리기" }).tap();
  await page.getByRole("button", { name: "자리 골라 보기" }).tap();
  const blocks = page.getByRole("region", { name: "2명이 앉을 자리" }).getByRole("button", { name: /이 자리 잡기/ });
  await expect(blocks).toHaveCount(5);
  await expect(blocks.first()).toContainText("한 줄에 나란히");
  await expect(blocks.first()).toContainText("300,000원");
  await me.fits();
  await me.accessible();
  for (let more = 0; more < 3; more += 1) await page.getByRole("button", { name: "한 명 늘리기" }).tap();
  const split = page.getByRole("region", { name: "5명이 앉을 자리" }).getByRole("button", { name: /이 자리 잡기/ });
  await expect(split.first()).toContainText("나란히는 아니고 앞뒤 두 줄로 나뉘어요"); // the aisle leaves four side by side
  await split.first().tap();
  await expect(me.mine()).toHaveCount(5);
});

test("a block that someone else took meanwhile is refused, and what is near is offered", async ({ visitor }) => {
  const show = await ownShow("놓친 자리");
  const [me, other] = [await visitor(), await Person.signUp("더빠른사람")];
  const { page } = me;
  await other.join(show.performance);
  const news = await heldBack(page);
  await inside(me, show);
  await page.getByRole("button", { name: "한 명 늘리기" }).click();
  await page.getByRole("button", { name: "자리 골라 보기" }).click();
  const first = page
    .getByRole("region", { name: "2명이 앉을 자리" })
    .getByRole("button", { name: /이 자리 잡기/ })
    .first();
  await expect(first).toBeVisible();
  const { blocks } = await other.get<{ blocks: { seats: number[] }[] }>(
    `performances/${show.performance}/find?people=2&area=0`,
  );
  await page.route("**/find?*", (route) => route.abort()); // what is looked at stays as it was
  await other.hold(show.performance, blocks[0]?.seats ?? []);
  await first.click();
  await expect(page.getByRole("alert")).toContainText("먼저 잡았어요");
  await expect(page.getByRole("alert").getByRole("link", { name: "왜 안 됐나요?" })).toBeVisible();
  news.arrive();
  await page
    .getByRole("alert")
    .getByRole("button", { name: /나란히/ })
    .first()
    .click();
  await expect(me.mine()).toHaveCount(2);
});

test("who waits sees the seats as they are sold and given back", async ({ visitor }) => {
  const show = await ownShow("기다리며", { capacity: 1 });
  const [buyer, next] = [await Person.signUp("사는사람"), await Person.signUp("다음사람")];
  for (const person of [buyer, next]) await person.join(show.performance);
  const me = await visitor();
  await me.page.goto(`/sign-in?next=/shows/${show.show}`);
  await me.signUp();
  await me.page.getByRole("button", { name: "줄 서기", exact: true }).click();
  await me.page.getByRole("button", { name: "지금 좌석 보기" }).click();
  const sold = me.page.getByTestId("sold");
  await expect(sold).toHaveText("전체 36석 중 0석 판매, 36석 남음");
  await me.page.getByRole("button", { name: /^1층/ }).click();
  await me.sees(1, "free");
  const booking = await buyer.buy(show.performance, [0, 1]);
  await expect(sold).toHaveText("전체 36석 중 2석 판매, 34석 남음", { timeout: 5_000 });
  await me.sees(1, "sold");
  await expect(me.seat(2)).toHaveAttribute("aria-disabled", "true");
  await me.accessible();
  await buyer.command(`performances/${show.performance}/bookings/${booking}/cancel`);
  await expect(sold).toHaveText("전체 36석 중 0석 판매, 36석 남음", { timeout: 5_000 });
  await me.sees(1, "free");
});
