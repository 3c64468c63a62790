import type { Page } from "@playwright/test";
import { expect, heldBack, inside, test } from "./page";
import { ownShow, Person } from "./world";

test("two race for one seat: one gets it, the other is told which and what is free nearby", async ({ visitor }) => {
  const show = await ownShow("경주");
  const [winner, loser] = [await visitor(), await visitor()];
  const news = await heldBack(loser.page);
  await inside(winner, show);
  await inside(loser, show);
  await winner.seat(3).click();
  await winner.sees(3, "mine");
  await loser.sees(3, "free"); // the news is still under way
  await loser.seat(3).click();
  const notice = loser.page.getByRole("alert");
  await expect(notice).toContainText("1층 A열 4번은 방금 다른 분이 먼저 잡았어요");
  news.arrive();
  await loser.sees(3, "held");
  await loser.accessible();
  await notice.getByRole("button").first().click();
  await expect(loser.mine()).toHaveCount(1);
  await expect(notice).toHaveCount(0);
});

test("what others do is seen at once: held, being paid, sold, and free again after a cancellation", async ({
  visitor,
}) => {
  const show = await ownShow("관찰");
  const me = await visitor();
  await inside(me, show);
  const other = await Person.signUp("다른사람");
  await other.join(show.performance);
  await other.hold(show.performance, [5]);
  await me.sees(5, "held");
  await expect(me.seat(5)).toHaveAccessibleName("6번, 150,000원, 선택 중");
  await other.book(show.performance, [5]);
  await me.sees(5, "paying");
  await expect(me.page.getByRole("button", { name: /^1층/ })).toContainText("23석 남음");
  await me.seat(5).click({ force: true }); // it looks as if it can't be had, and it can't
  await expect(me.mine()).toHaveCount(0);

  const buyer = await Person.signUp("사는사람");
  await buyer.join(show.performance);
  const booking = await buyer.buy(show.performance, [6]);
  await me.sees(6, "sold");
  await buyer.command(`performances/${show.performance}/bookings/${booking}/cancel`);
  await me.sees(6, "free");
});

test("a booking is cancelled with its consequences shown; the seat is free on the other page, the money is back", async ({
  visitor,
}) => {
  const show = await ownShow("취소");
  const [buyer, watcher] = [await visitor(), await visitor()];
  await inside(buyer, show);
  await inside(watcher, show);
  await buyer.seat(0).click();
  await buyer.sees(0, "mine");
  await buyer.page.getByRole("button", { name: "예매하기" }).click();
  await buyer.page.getByRole("button", { name: "150,000원 결제하기" }).click();
  await expect(buyer.page).toHaveURL(/\/done$/);
  await watcher.sees(0, "sold");

  await buyer.page.getByRole("link", { name: "예매 내역 보기" }).click();
  await buyer.accessible();
  await buyer.page.getByRole("button", { name: "예매 취소" }).click();
  const question = buyer.page.getByRole("dialog");
  await expect(question).toContainText("1층 A열 1번이 곧바로 다른 분에게 열립니다.");
  await expect(question).toContainText("150,000원이 SocketPay로 돌아옵니다.");
  await buyer.accessible();
  await question.getByRole("button", { name: "예매 취소하기" }).click();
  await watcher.sees(0, "free");
  await expect(buyer.page.getByText("환불 완료")).toBeVisible();
  await expect(buyer.page.getByRole("link", { name: /SocketPay 잔액 500,000원/ })).toBeVisible();
  await buyer.page.getByRole("link", { name: "이 공연 다시 예매하기" }).click();
  await expect(buyer.page.getByRole("heading", { level: 1 })).toHaveText(show.title.ko);
  await buyer.page.goto("/me");
  await buyer.page.getByRole("button", { name: /^취소/ }).click();
  await expect(buyer.page.getByRole("link", { name: show.title.ko })).toBeVisible();
  await buyer.accessible();
});

test("a lost connection is shown, and made good by position when it is back", async ({ visitor }) => {
  const show = await ownShow("끊김");
  const me = await visitor();
  const sockets: { close: () => Promise<void> }[] = [];
  let cut = false;
  await me.page.routeWebSocket(/\/v1\/live/, (socket) => {
    if (cut) {
      void socket.close();
      return;
    }
    socket.connectToServer();
    sockets.push(socket);
  });
  await inside(me, show);
  await me.sees(2, "free");
  cut = true;
  await Promise.all(sockets.map((socket) => socket.close()));
  await expect(me.page.getByText("서버와 다시 연결하고 있어요")).toBeVisible();
  const other = await Person.signUp("그사이에");
  await other.join(show.performance);
  await other.hold(show.performance, [2, 9]);
  cut = false;
  await me.sees(2, "held");
  await me.sees(9, "held");
  await expect(me.page.getByText("서버와 다시 연결하고 있어요")).toHaveCount(0);
});

/** The page takes the server's clock for this much slower than it is, as it may after a slow answer. */
async function clockBehind(page: Page, ms: number): Promise<void> {
  const earlier = (text: string) =>
    text.replace(/"now":"([^"]+)"/, (_, now) => `"now":"${new Date(Date.parse(now) - ms).toISOString()}"`);
  await page.route("**/v1/time", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: earlier(await answer.text()) });
  });
  await page.routeWebSocket(/\/v1\/live/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => socket.send(earlier(String(message))));
  });
}

test("a hold that runs out is told of also where the server's news comes before the countdown ends", async ({
  visitor,
}) => {
  const show = await ownShow("이른 소식", { hold_seconds: 4 });
  const me = await visitor();
  await clockBehind(me.page, 1000);
  await inside(me, show);
  await me.seat(1).click();
  await me.sees(1, "mine");
  await expect(me.page.getByText("선점 시간이 끝나 좌석을 놓았어요").first()).toBeVisible();
  await me.sees(1, "free");
});

test("a hold that runs out gives the seat back, and says so; an unpaid booking does too", async ({ visitor }) => {
  const show = await ownShow("만료", { hold_seconds: 4, payment_seconds: 4 });
  const me = await visitor();
  await inside(me, show);
  await me.seat(1).click();
  await me.sees(1, "mine");
  await expect(me.page.getByText("선점 시간이 끝나 좌석을 놓았어요").first()).toBeVisible();
  await me.sees(1, "free");

  await me.seat(1).click();
  await me.sees(1, "mine");
  await me.page.getByRole("button", { name: "예매하기" }).click();
  await expect(me.page.getByText("결제 시간이 끝나 예매가 취소됐어요")).toBeVisible();
  await me.accessible();
  await me.page.getByRole("link", { name: "다시 고르기" }).click();
  await expect(me.page.getByRole("heading", { level: 1 })).toHaveText(show.title.ko);
});

test("too little money is said before paying", async ({ visitor }) => {
  const show = await ownShow("비싼공연");
  const me = await visitor();
  await inside(me, show);
  for (const seat of [0, 1, 2, 3]) {
    await me.seat(seat).click();
    await me.sees(seat, "mine");
  }
  await me.seat(4).click();
  await expect(me.page.getByTestId("announcements")).toContainText("최대 4석까지 고를 수 있어요.");
  await me.page.getByRole("button", { name: "예매하기" }).click();
  await expect(me.page.getByText("잔액이 100,000원 부족해요.")).toBeVisible();
  await expect(me.page.getByRole("button", { name: "600,000원 결제하기" })).toBeDisabled();
});

test("the place in line falls live, and leaving is asked about first", async ({ visitor }) => {
  const show = await ownShow("대기", { capacity: 1 });
  const first = await Person.signUp("안에있는사람");
  const second = await Person.signUp("앞사람");
  const third = await Person.signUp("그다음사람");
  for (const person of [first, second, third]) await person.join(show.performance);
  const me = await visitor();
  await me.page.goto(`/sign-in?next=/shows/${show.show}`);
  await me.signUp();
  await me.page.getByRole("button", { name: "줄 서기", exact: true }).click();
  await expect(me.page.getByTestId("ahead")).toHaveText("2");
  await second.leave(show.performance);
  await expect(me.page.getByTestId("ahead")).toHaveText("1");
  await expect(me.page).toHaveTitle(/^\(1\) 대기 중/);
  await expect(me.page.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "50");
  await first.leave(show.performance); // the third goes in
  await expect(me.page.getByTestId("ahead")).toHaveText("다음 차례예요");
  await me.page.getByRole("button", { name: "줄에서 나가기" }).click();
  await me.page.getByRole("dialog").getByRole("button", { name: "계속 기다리기" }).click();
  await me.page.getByRole("button", { name: "줄에서 나가기" }).click();
  await me.page.getByRole("dialog").getByRole("button", { name: "나갈게요" }).click();
  await expect(me.page.getByText("지금은 줄에 서 있지 않아요")).toBeVisible();
});
