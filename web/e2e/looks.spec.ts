import { dark, expect, smallPhone, test } from "./page";
import { ORGANISER, ownShow, Person } from "./world";

test("the language is switched, told to the document, and remembered", async ({ visitor }) => {
  const { show, title } = await ownShow("두 언어");
  const { page } = await visitor();
  await page.goto(`/shows/${show}`);
  await expect(page.locator("html")).toHaveAttribute("lang", "ko");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(title.ko);
  await page.getByRole("button", { name: "English" }).click();
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(title.en);
  await expect(page).toHaveTitle(`${title.en} · Socketing`);
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Shows");
  await page.goto("/sign-in");
  await page.getByLabel("E-mail").fill("fan1@socketing.example");
  await page.getByLabel("Password", { exact: true }).fill("not the password");
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("alert")).toContainText(/password/i); // the server's catalogue, in English
  await page.getByRole("button", { name: "한국어" }).click();
  await expect(page.getByRole("alert")).toContainText("비밀번호");
});

test("English is for who asks for another language than Korean", async ({ visitor }) => {
  const { page } = await visitor({ locale: "de-DE" });
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Shows");
});

test("the pages stand in the dark, on the smallest phone, with nothing cut off", async ({ visitor }) => {
  const { show, performance } = await ownShow("작은 화면에서도 잘 보여야 하는 아주 긴 제목의 공연");
  const me = await visitor({ ...smallPhone, ...dark });
  const { page } = me;
  for (const path of [
    "/",
    `/shows/${show}`,
    `/performances/${performance}/seats`,
    `/performances/${performance}/draw`,
    "/sign-in",
    "/nowhere",
  ]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await me.fits();
    await me.accessible();
  }
  await page.goto("/sign-in?next=/me");
  await me.signUp();
  for (const path of [
    "/me",
    "/me/tickets",
    "/me/invitations",
    "/me/account",
    `/performances/${performance}/line`,
    `/performances/${performance}/line/why`,
  ]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await me.fits();
    await me.accessible();
  }
  await page.goto("/me/account");
  await page.getByRole("button", { name: "로그아웃" }).tap();
  await expect(page.getByRole("link", { name: "로그인" })).toBeVisible();
  await page.goto("/me");
  await expect(page).toHaveURL(/\/sign-in\?next=/);
});

test("someone who isn't called in can look, and is told how to get in", async ({ visitor }) => {
  const { performance } = await ownShow("구경");
  const me = await visitor();
  await me.page.goto(`/performances/${performance}/seats`);
  await me.page.getByRole("button", { name: /^2층/ }).click();
  await me.sees(24, "free");
  await expect(me.seat(24)).toHaveAttribute("aria-disabled", "true");
  await me.seat(24).click({ force: true });
  await me.sees(24, "free");
});

test("the pages around the line stand in English, in the dark, on the smallest phone", async ({ visitor }) => {
  const { performance } = await ownShow("줄 주변의 화면", {}, 5_000);
  const other = await Person.signUp("먼저온사람");
  await other.join(performance);
  const me = await visitor({ ...smallPhone, ...dark, locale: "en-GB" });
  const { page } = me;
  const stands = async () => {
    await me.fits();
    await me.accessible();
  };
  await page.goto(`/sign-in?next=/performances/${performance}/run`);
  await page.getByLabel("E-mail").fill(ORGANISER.email);
  await page.getByLabel("Password", { exact: true }).fill(ORGANISER.password);
  await page.getByRole("button", { name: "Continue" }).tap();
  await expect(page.getByText("Nothing so far.")).toBeVisible();
  await stands();
  await page.getByRole("button", { name: "Take nobody new" }).tap();
  await expect(page.getByRole("dialog").getByLabel("Why")).toBeVisible();
  await stands();
  await page.getByRole("dialog").getByLabel("Why").fill("a long reason ".repeat(14).trim());
  await page.getByRole("dialog").getByRole("button", { name: "Take nobody new" }).tap();
  await expect(page.getByTestId("flow")).toHaveText("takes nobody new");
  await expect(page.getByRole("listitem").first()).toContainText("took nobody new from here on");
  await stands();
  await page.goto(`/performances/${performance}/draw`);
  await page.getByRole("button", { name: "Work it out again" }).tap();
  await expect(page.getByText("Everything holds.")).toBeVisible();
  await stands();
  await page.goto(`/performances/${performance}/line/why`);
  await expect(page.getByText("You never had a place in this line")).toBeVisible();
  await stands();
});
