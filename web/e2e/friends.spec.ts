import { expect, phone, test } from "./page";
import { ownShow } from "./world";

test("two become friends by a link, with sign-up on the way, and one invites the other into a party with one tap", async ({
  visitor,
}) => {
  const { show, performance } = await ownShow("친구");
  const [minji, jiho] = [await visitor(), await visitor(phone)];
  await minji.page.goto("/sign-in?next=/me/friends");
  await minji.signUp("민지");
  await expect(minji.page.getByRole("heading", { name: "친구 0명" })).toBeVisible();
  await minji.page.getByLabel("별명으로 친구 찾기").fill("이런 사람은 없어요");
  await minji.page.getByRole("button", { name: "친구 요청" }).click();
  await expect(minji.page.getByRole("alert")).toContainText("그런 회원이 없습니다");
  const link = await minji.page.getByRole("textbox", { name: "내 친구 링크" }).inputValue();
  await minji.accessible();

  await jiho.page.goto(link);
  await jiho.signUp("지호");
  await expect(jiho.page.getByText(`${minji.nickname} 님과 친구가 될까요?`)).toBeVisible();
  await jiho.fits();
  await jiho.page.getByRole("button", { name: "친구 요청" }).tap();
  await expect(jiho.page.getByText(`${minji.nickname} 님에게 친구 요청을 보냈어요.`).first()).toBeVisible();

  await minji.page.getByRole("button", { name: `${jiho.nickname}: 수락` }).click(); // the request came by itself
  await expect(minji.page.getByRole("heading", { name: "친구 1명" })).toBeVisible();
  await expect(jiho.page.getByText(`${minji.nickname} 님과 친구예요.`)).toBeVisible();
  await jiho.page.goto("/me/friends");
  await expect(jiho.page.getByRole("listitem").filter({ hasText: minji.nickname })).toBeVisible();
  await jiho.accessible();
  await jiho.fits();

  await minji.page.goto(`/shows/${show}`);
  await minji.page.getByRole("link", { name: "함께 예매하기" }).click();
  await minji.page.getByRole("button", { name: `${jiho.nickname} 초대하기` }).click();
  await expect(minji.page.getByRole("listitem").filter({ hasText: jiho.nickname })).toContainText("답을 기다리는 중");
  await minji.accessible();
  await jiho.page.goto("/me/invitations");
  await jiho.page.getByRole("button", { name: "함께할게요" }).tap();
  await expect(jiho.page).toHaveURL(new RegExp(`${performance}/together`));
  await expect(minji.page.getByRole("listitem").filter({ hasText: jiho.nickname })).toContainText("함께해요");
});

test("someone who is here and allows it is suggested, and nobody else", async ({ visitor }) => {
  const { performance } = await ownShow("추천");
  const [minji, open, shy] = [await visitor(), await visitor(), await visitor()];
  await open.page.goto("/sign-in?next=/me/friends");
  await open.signUp("열린사람");
  await open.page.getByRole("checkbox", { name: "나를 친구로 추천해도 좋아요" }).click();
  await expect(open.page.getByRole("checkbox", { name: "나를 친구로 추천해도 좋아요" })).toBeChecked();
  await open.page.goto(`/performances/${performance}/together`);
  await shy.page.goto(`/sign-in?next=/performances/${performance}/together`);
  await shy.signUp("수줍은사람");
  await expect(shy.page.getByRole("button", { name: `${open.nickname} 초대하기` })).toBeVisible({ timeout: 40_000 });

  await minji.page.goto(`/sign-in?next=/performances/${performance}/together`);
  await minji.signUp("민지");
  await minji.page.getByRole("button", { name: `${open.nickname} 초대하기` }).click({ timeout: 40_000 });
  await expect(minji.page.getByRole("listitem").filter({ hasText: open.nickname })).toContainText("답을 기다리는 중");
  await expect(minji.page.getByRole("button", { name: `${shy.nickname} 초대하기` })).toHaveCount(0);
});
