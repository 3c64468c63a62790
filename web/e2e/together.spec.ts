import { expect, phone, test } from "./page";
import { ownShow } from "./world";

test("two friends book together: invited by nickname, one line, seats side by side, a ticket each", async ({
  visitor,
}) => {
  const { show, performance, title } = await ownShow("동행");
  const [leader, friend] = [await visitor(), await visitor(phone)];
  await friend.page.goto("/sign-in?next=/me/invitations");
  await friend.signUp("친구");
  await expect(friend.page.getByText("받은 초대가 없어요")).toBeVisible();
  await friend.accessible();

  await leader.page.goto(`/sign-in?next=/shows/${show}`);
  await leader.signUp("대표");
  await leader.page.getByRole("link", { name: "함께 예매하기" }).click();
  await leader.page.getByLabel("친구의 별명").fill("이런 사람은 없어요");
  await leader.page.getByRole("button", { name: "초대하기" }).click();
  await expect(leader.page.getByRole("alert")).toBeVisible();
  await leader.page.getByLabel("친구의 별명").fill(friend.nickname);
  await leader.page.getByRole("button", { name: "초대하기" }).click();
  await expect(leader.page.getByRole("listitem").filter({ hasText: friend.nickname })).toContainText(
    "답을 기다리는 중",
  );
  await leader.accessible();

  await expect(friend.page.getByText(`${leader.nickname} 님이 함께 예매하자고 초대했어요`)).toBeVisible(); // by itself
  await friend.page.getByRole("button", { name: "함께할게요" }).tap();
  await expect(friend.page).toHaveURL(new RegExp(`${performance}/together`));
  await friend.fits();
  await expect(leader.page.getByRole("listitem").filter({ hasText: friend.nickname })).toContainText("함께해요");
  await leader.page.getByRole("button", { name: "2명이 함께 줄 서기" }).click();
  await expect(leader.page).toHaveURL(/\/seats$/);
  await friend.page.getByRole("link", { name: "내 자리로 돌아가기" }).tap();
  await expect(friend.page).toHaveURL(/\/seats$/);
  await friend.page.getByRole("button", { name: /^1층/ }).tap();

  await leader.page.getByRole("button", { name: /^1층/ }).click();
  await leader.page.getByRole("button", { name: "A열에서 나란히 2석 잡기" }).click();
  await expect(leader.mine()).toHaveCount(2);
  await expect(friend.page.getByText("함께하는 친구가 고르는 중이에요")).toBeVisible();
  await expect(friend.mine()).toHaveCount(2);
  await friend.accessible();

  await leader.page.getByRole("button", { name: "예매하기" }).click();
  await expect(leader.page.getByText("친구의 티켓")).toBeVisible();
  await leader.page.getByRole("button", { name: "300,000원 결제하기" }).click();
  await expect(leader.page).toHaveURL(/\/done$/);

  await friend.page.goto("/me/tickets");
  await expect(friend.page.getByRole("article")).toHaveCount(1);
  await expect(friend.page.getByRole("article")).toContainText(title.ko);
  await expect(friend.page.getByRole("article")).toContainText(`${leader.nickname} 님의 예매`);
  await friend.page.goto("/me/account");
  await expect(friend.page.getByText("500,000원").first()).toBeVisible(); // the leader paid
  await friend.accessible();
});
