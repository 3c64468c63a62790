import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Redirect, useLocation } from "wouter";
import { cardToken, TEST_CARDS, type TestCard } from "../api/cards";
import type { Booking, Payment } from "../api/client";
import { commands } from "../api/commands";
import { queries } from "../api/queries";
import { useErrorTexts, useFormat, useT } from "../i18n";
import { to } from "../routes";
import { Button, ButtonLink } from "../ui/button";
import { Clock, DeadlineBar, useDeadline } from "../ui/countdown";
import { CheckIcon } from "../ui/icons";
import { Page } from "../ui/page";
import { Empty, Failed, FailureNotice, Loading, Notice, Skeleton } from "../ui/states";
import { CancelBooking, Lines } from "./booking-parts";
import { useBooking } from "./my-bookings";
import { RequireAccount } from "./require-account";
import { Shares } from "./shares";

/** Paying for a booking. Everything comes from the server by the booking's id, so a reload changes nothing. */
export function PayPage({ performance, booking }: { performance: string; booking: string }) {
  return <RequireAccount>{() => <Pay performance={performance} booking={booking} />}</RequireAccount>;
}

function Pay({ performance, booking: id }: { performance: string; booking: string }) {
  const t = useT();
  const { booking, ...bookings } = useBooking(id, 10_000);
  const about = useQuery(queries.performance(performance));
  const format = useFormat();
  if (booking?.state === "paid") return <Redirect to={to.done(performance, id)} replace />;
  return (
    <Page
      title={t.titles.pay}
      heading={t.pay.heading}
      width="narrow"
      above={booking && `${format.text(booking.title)} · ${format.dateTime(booking.starts_at)}`}
    >
      {bookings.isError && !bookings.data && <Failed failure={bookings.error} retry={() => void bookings.refetch()} />}
      {booking === undefined && !bookings.isError && (
        <Loading>
          <Skeleton className="h-28 rounded-card" />
          <Skeleton className="mt-5 h-56 rounded-card" />
        </Loading>
      )}
      {booking === null && (
        <Empty title={t.pay.notMine} hint={t.pay.notMineHint}>
          <ButtonLink tone="ink" href={to.bookings}>
            {t.titles.bookings}
          </ButtonLink>
        </Empty>
      )}
      {booking && (booking.state === "expired" || booking.state === "cancelled") && <Over booking={booking} />}
      {booking && (booking.state === "unpaid" || booking.state === "paying") && (
        <Desk booking={booking} paymentSeconds={about.data?.policies.payment_seconds ?? 300} />
      )}
    </Page>
  );
}

/** Too late, or cancelled: no money went, and the way back. */
function Over({ booking }: { booking: Booking }) {
  const t = useT();
  const expired = booking.state === "expired";
  return (
    <Empty title={expired ? t.pay.expired : t.pay.cancelled} {...(expired && { hint: t.pay.expiredHint })}>
      <ButtonLink tone="lamp" href={to.show(booking.show_id, booking.performance_id)}>
        {t.pay.again}
      </ButtonLink>
    </Empty>
  );
}

/** SocketPay, or one of the test cards. */
type Way = "socketpay" | TestCard;

type Phase = "idle" | "asking" | "approving" | "confirmed";

function Desk({ booking, paymentSeconds }: { booking: Booking; paymentSeconds: number }) {
  const t = useT();
  const format = useFormat();
  const wallet = useQuery(queries.wallet());
  const methods = useQuery(queries.paymentMethods());
  const tokensUrl = methods.data?.methods.find(({ method }) => method === "card")?.tokens_url ?? undefined;
  const [way, setWay] = useState<Way>("socketpay");
  const payment = usePayment(booking, tokensUrl);
  const paying = payment.phase !== "idle";
  const client = useQueryClient();
  const left = useDeadline(
    paying ? undefined : booking.pay_by,
    () => void client.invalidateQueries(queries.bookings()),
    true,
  );
  const after = wallet.data ? wallet.data.balance - booking.total : undefined;
  const short = way === "socketpay" && after !== undefined && after < 0 ? -after : undefined;
  return (
    <div className="grid gap-5">
      {left !== undefined && <Deadline left={left} of={paymentSeconds} />}
      {payment.reason !== undefined && !paying && <PaymentFailed reason={payment.reason} />}
      {payment.failure !== undefined && <FailureNotice failure={payment.failure} />}
      <section className="rounded-card border border-line bg-panel p-5">
        <h2 className="text-lg font-bold">{t.pay.lines}</h2>
        <Lines lines={booking.lines} />
        <p className="flex items-baseline justify-between border-ink border-t-2 pt-4">
          <span className="font-semibold">{t.pay.total}</span>
          <span className="tnum text-2xl font-extrabold">{format.won(booking.total)}</span>
        </p>
      </section>
      <section className="rounded-card border border-line bg-panel p-5">
        <h2 className="text-lg font-bold">{t.pay.method}</h2>
        {tokensUrl === undefined ? (
          <p className="mt-3 font-bold">{t.pay.socketpay}</p>
        ) : (
          <Ways way={way} choose={setWay} disabled={paying} />
        )}
        {way === "socketpay" ? (
          <dl className="mt-2 grid gap-2 text-sm">
            <Amount name={t.pay.balance} value={wallet.data ? format.won(wallet.data.balance) : "···"} />
            <Amount name={t.pay.after} value={after === undefined ? "···" : after >= 0 ? format.won(after) : "–"} />
          </dl>
        ) : (
          <p className="mt-2 text-ink-2 text-sm">{t.pay.cardHint}</p>
        )}
        {short !== undefined && !paying && (
          <p className="mt-3 font-semibold text-bad">{t.pay.short(format.won(short))}</p>
        )}
      </section>
      <Shares booking={booking} />
      <div className="sticky bottom-0 z-10 -mx-4 grid gap-3 border-line border-t bg-paper p-4 pb-[max(1rem,env(safe-area-inset-bottom))] sm:mx-0 sm:px-0">
        {paying ? (
          <Steps phase={payment.phase} />
        ) : (
          <Button
            tone="lamp"
            size="large"
            wide
            disabled={left === 0 || short !== undefined}
            onClick={() => void payment.pay(way)}
          >
            {t.pay.button(format.won(booking.total))}
          </Button>
        )}
      </div>
      {!paying && (
        <div>
          <CancelBooking booking={booking} />
        </div>
      )}
    </div>
  );
}

/** The ways to pay, one of which is chosen. */
function Ways({ way, choose, disabled }: { way: Way; choose: (way: Way) => void; disabled: boolean }) {
  const t = useT();
  const ways: { id: Way; name: string }[] = [
    { id: "socketpay", name: t.pay.socketpay },
    ...TEST_CARDS.map((card) => ({ id: card, name: t.pay.cards[card] })),
  ];
  return (
    <fieldset disabled={disabled} className="mt-3 grid gap-2">
      <legend className="sr-only">{t.pay.method}</legend>
      {ways.map(({ id, name }) => (
        <label key={id} className="flex min-h-11 items-center gap-3 font-bold">
          <input
            type="radio"
            name="way"
            value={id}
            checked={way === id}
            onChange={() => choose(id)}
            className="size-5 accent-lamp"
          />
          {name}
        </label>
      ))}
    </fieldset>
  );
}

function Amount({ name, value }: { name: string; value: string }) {
  return (
    <div className="flex justify-between gap-4">
      <dt className="text-ink-2">{name}</dt>
      <dd className="tnum font-semibold">{value}</dd>
    </div>
  );
}

function Deadline({ left, of }: { left: number; of: number }) {
  const t = useT();
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <div className="mb-3 flex items-baseline justify-between">
        <span className="text-ink-2">{t.pay.deadline}</span>
        <Clock
          seconds={left}
          className={`rounded-lg px-2 text-3xl font-extrabold ${left <= 30 ? "bg-lamp text-on-lamp" : ""}`}
        />
      </div>
      <DeadlineBar seconds={left} of={of} className="h-2" />
    </section>
  );
}

function PaymentFailed({ reason }: { reason: string }) {
  const t = useT();
  const text = useErrorTexts()[reason];
  return (
    <Notice tone="bad" title={text ? text.title : t.pay.failed} alert>
      {text && <p>{text.hint}</p>}
      <p>{t.pay.failedHint}</p>
    </Notice>
  );
}

/** One payment from the button to the outcome; asks until it is known, also after a reload. */
function usePayment(
  booking: Booking,
  tokensUrl: string | undefined,
): {
  phase: Phase;
  reason: string | undefined;
  failure: unknown;
  pay: (way: Way) => Promise<void>;
} {
  const client = useQueryClient();
  const [, go] = useLocation();
  const { performance_id, booking_id } = booking;
  const [sent, setSent] = useState<{ phase: "asking" } | { phase: "known"; payment: Payment } | undefined>();
  const [failure, setFailure] = useState<unknown>();
  const known = sent?.phase === "known" ? sent.payment : undefined;
  const asked = useQuery({
    ...queries.payment(performance_id, booking_id, known?.payment_id ?? ""),
    enabled: known?.state === "in_flight",
    refetchInterval: ({ state }) => (state.data && state.data.state !== "in_flight" ? false : 1000),
  });
  const payment = asked.data ?? known;

  useEffect(() => {
    if (payment?.state === "in_flight" || !payment) return;
    void client.invalidateQueries({ queryKey: ["mine"] });
    if (payment.state === "succeeded") go(to.done(performance_id, booking_id), { replace: true });
  }, [payment, client, go, performance_id, booking_id]);

  async function pay(way: Way) {
    setFailure(undefined);
    setSent({ phase: "asking" });
    try {
      const card = way === "socketpay" ? undefined : await cardToken(tokensUrl, way);
      setSent({ phase: "known", payment: await commands.pay(performance_id, booking_id, card) });
    } catch (thrown) {
      setSent(undefined);
      setFailure(thrown);
      void client.invalidateQueries(queries.bookings());
    }
  }
  const failed = payment?.state === "failed" ? (payment.reason ?? "internal") : (booking.payment_failure ?? undefined);
  return { phase: phaseOf(sent?.phase === "asking", payment, booking), reason: failed, failure, pay };
}

function phaseOf(asking: boolean, payment: Payment | undefined, booking: Booking): Phase {
  if (asking) return "asking";
  if (payment?.state === "in_flight") return "approving";
  if (payment?.state === "succeeded") return "confirmed";
  return booking.state === "paying" && payment === undefined ? "approving" : "idle";
}

/** Where the payment is, step by step. */
function Steps({ phase }: { phase: Phase }) {
  const t = useT();
  const steps = [t.pay.steps.ask, t.pay.steps.approve, t.pay.steps.confirm, t.pay.steps.ticket];
  const now = { idle: 0, asking: 0, approving: 1, confirmed: 3 }[phase];
  return (
    <section aria-label={t.pay.stepsLabel} aria-live="polite" className="rounded-card bg-board p-5 text-on-board">
      <h2 className="mb-3 text-lg font-bold">{t.pay.paying}</h2>
      <ol className="grid gap-3">
        {steps.map((step, at) => (
          <li key={step} className={`flex items-center gap-3 ${at > now ? "text-on-board-2" : "font-semibold"}`}>
            <span
              className={`grid size-7 place-items-center rounded-full ${at < now ? "bg-lamp text-on-lamp" : at === now ? "animate-pulse bg-lamp text-on-lamp" : "border border-on-board-2"}`}
            >
              {at < now ? <CheckIcon className="size-4" /> : <span className="tnum text-sm">{at + 1}</span>}
            </span>
            {step}
            <span className="sr-only">{at < now ? t.pay.stepDone : at === now ? t.pay.stepNow : ""}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
