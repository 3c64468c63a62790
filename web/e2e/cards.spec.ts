import { expect, phone, test } from "./page";
import { ownShow } from "./world";

test("a declined card says so, another way is chosen, and only that pays", async ({ visitor }) => {
  const { show } = await ownShow("카드 결제");
  const me = await visitor(phone);
  const { page } = me;
  await page.goto(`/sign-in?next=/shows/${show}`);
  await me.signUp();
  await page.getByRole("button", { name: "줄 서기", exact: true }).tap();
  await page.getByRole("button", { name: /^2층/ }).tap();
  await me.seat(26).tap();
  await me.sees(26, "mine");
  await page.getByRole("button", { name: "예매하기" }).tap();
  await expect(page).toHaveURL(/\/pay$/);

  const ways = page.getByRole("group", { name: "결제 수단" });
  await expect(ways.getByRole("radio", { name: "SocketPay" })).toBeChecked();
  await ways.getByRole("radio", { name: "거절되는 시험용 카드" }).check();
  await expect(page.getByText("카드 번호는 카드사만 봅니다.")).toBeVisible();
  await me.accessible();
  await me.fits();
  await page.getByRole("button", { name: "90,000원 결제하기" }).tap();
  await expect(page.getByRole("alert")).toContainText("카드 결제가 거절되었습니다");
  await me.accessible();

  await ways.getByRole("radio", { name: "시험용 카드", exact: true }).check();
  await page.getByRole("button", { name: "90,000원 결제하기" }).tap();
  await expect(page).toHaveURL(/\/done$/);
  await expect(page.getByRole("link", { name: /SocketPay 잔액 500,000원/ })).toBeVisible();
});
