import { expect, phone, test } from "./page";
import { ownShow, Person } from "./world";

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

test("a party by link: sign-up on the way, one tap to join, one place in the line, a seat and a share each", async ({
  visitor,
}) => {
  const { show, performance } = await ownShow("링크로", { capacity: 2 });
  const before = [await Person.signUp("먼저온사람"), await Person.signUp("다음사람")];
  for (const person of before) expect((await person.join(performance)).state).toBe("inside");
  const [leader, friend] = [await visitor(), await visitor(phone)];

  await leader.page.goto(`/sign-in?next=/shows/${show}`);
  await leader.signUp("대표");
  await leader.page.getByRole("link", { name: "함께 예매하기" }).click();
  await leader.page.getByLabel(/^각자 자기 몫을 결제해요. 기한까지/).check();
  await leader.page.getByRole("button", { name: "초대 링크 만들기" }).click();
  const link = await leader.page.getByLabel("초대 링크").inputValue();
  expect(link).toContain(`/performances/${performance}/together?party=`);
  await leader.accessible();

  await friend.page.goto(link); // nobody is signed in there
  await friend.signUp("친구");
  await expect(friend.page.getByText(`${leader.nickname} 님이 함께 예매하자고 초대했어요`)).toBeVisible();
  await friend.accessible();
  await friend.page.getByRole("button", { name: "함께할게요" }).tap();
  for (const { page } of [leader, friend])
    for (const { nickname } of [leader, friend])
      await expect(page.getByRole("listitem").filter({ hasText: nickname })).toBeVisible();
  await friend.fits();

  await leader.page.getByRole("button", { name: "2명이 함께 줄 서기" }).click();
  await expect(leader.page).toHaveURL(/\/line$/);
  await friend.page.getByRole("link", { name: "내 자리로 돌아가기" }).tap();
  for (const { page } of [leader, friend]) {
    await expect(page.getByText("다음 차례예요").first()).toBeVisible();
    await expect(page.getByText("1팀이 기다리는 중")).toBeVisible(); // the two are one entry
    await expect(page.getByText("함께 기다리는 사람")).toBeVisible();
  }
  for (const person of before) await person.leave(performance);
  for (const { page } of [leader, friend]) await expect(page).toHaveURL(/\/seats$/);

  await leader.page.getByRole("button", { name: /^1층/ }).click();
  await leader.page.getByRole("button", { name: "A열에서 나란히 2석 잡기" }).click();
  await expect(leader.mine()).toHaveCount(2);
  await leader.page.getByRole("button", { name: "내 좌석으로" }).first().click();
  await expect(friend.page.getByText(`${leader.nickname} 님의 좌석`)).toBeVisible();
  await friend.page.getByRole("button", { name: "내 좌석으로" }).tap();
  await expect(leader.page.getByText(`${friend.nickname} 님의 좌석`)).toBeVisible();
  await friend.accessible();

  await leader.page.getByRole("button", { name: "예매하기" }).click();
  await leader.page.getByRole("button", { name: "150,000원 결제하기" }).click();
  await expect(leader.page).toHaveURL(/\/done$/);
  await friend.page.getByRole("link", { name: "결제하러 가기" }).tap();
  await expect(friend.page.getByRole("listitem").filter({ hasText: leader.nickname })).toContainText("결제 완료");
  await friend.page.getByRole("button", { name: "150,000원 결제하기" }).tap();
  await expect(friend.page).toHaveURL(/\/done$/);
  for (const { page } of [leader, friend]) {
    await page.goto("/me/tickets");
    await expect(page.getByRole("article")).toHaveCount(1);
    await page.goto("/me/account");
    await expect(page.getByText("350,000원").first()).toBeVisible(); // each paid a share
  }
});
