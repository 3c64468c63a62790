import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import type { LineAct, Performance, Sales, Steering } from "../api/client";
import { commands } from "../api/commands";
import { queries } from "../api/queries";
import { useFormat } from "../i18n";
import { useMore } from "../i18n/more";
import { live } from "../live";
import type { LineCounters } from "../live/protocol";
import { Field, INPUT } from "../ui/field";
import { Page } from "../ui/page";
import { Failed, Loading, Skeleton } from "../ui/states";
import { RequireAccount } from "./require-account";
import { Act } from "./run-act";
import { ShowLink } from "./show-link";

/** What others who run the line do shows within this time; the figures themselves are live. */
const ASK_AGAIN_MS = 10_000;
const SALES_AGAIN_MS = 5_000;

/** Running a performance's line: for its organiser and for operators, as the server decides. */
export function RunPage({ performance }: { performance: string }) {
  return <RequireAccount>{() => <Run performance={performance} />}</RequireAccount>;
}

function Run({ performance }: { performance: string }) {
  const m = useMore();
  const about = useQuery(queries.performance(performance));
  const steering = useQuery({ ...queries.steering(performance), refetchInterval: ASK_AGAIN_MS });
  return (
    <Page heading={m.run.heading} above={<ShowLink performance={performance} />}>
      <p className="mb-6 text-ink-2">{m.run.lead}</p>
      {steering.isPending && (
        <Loading>
          <Skeleton className="h-64 rounded-card" />
        </Loading>
      )}
      {steering.isError && !steering.data && <Failed failure={steering.error} retry={() => void steering.refetch()} />}
      {steering.data && about.data && <Desk about={about.data} steering={steering.data} />}
    </Page>
  );
}

function Desk({ about, steering }: { about: Performance; steering: Steering }) {
  const performance = about.performance_id;
  const client = useQueryClient();
  const done = () => client.invalidateQueries(queries.steering(performance));
  const sales = useQuery({ ...queries.sales(performance), refetchInterval: SALES_AGAIN_MS }).data;
  return (
    <div className="grid items-start gap-5 *:min-w-0 lg:grid-cols-2">
      <div className="grid gap-5">
        <Figures performance={performance} steering={steering} />
        {sales && <SalesTable sales={sales} />}
        <Acts acts={steering.acts} />
      </div>
      <div className="grid gap-5">
        <Movement performance={performance} flow={steering.flow} done={done} />
        <Limits performance={performance} steering={steering} done={done} />
        <Evict performance={performance} done={done} />
        {about.policies.line.mode === "draw" && <Beacon performance={performance} done={done} />}
      </div>
    </div>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="grid gap-4 rounded-card border border-line bg-panel p-5">
      <h2 className="text-lg font-bold">{title}</h2>
      {children}
    </section>
  );
}

/** The line's counters as they change. */
function useCounters(performance: string): LineCounters | undefined {
  const [counters, setCounters] = useState<LineCounters>();
  useEffect(
    () =>
      live.follow(
        { topic: "line", performance },
        { onMessage: (_, body) => setCounters(body as unknown as LineCounters) },
      ),
    [performance],
  );
  return counters;
}

function Figures({ performance, steering }: { performance: string; steering: Steering }) {
  const m = useMore();
  const format = useFormat();
  const now = useCounters(performance);
  const capacity = now?.capacity ?? steering.capacity;
  const rate = steering.admissions_per_minute;
  const figures = [
    [m.run.figures.waiting, format.number(now?.waiting ?? steering.waiting)],
    [m.run.figures.inside, format.number(now?.inside ?? steering.inside)],
    [m.run.figures.called, format.number(steering.called)],
    [m.run.figures.admitted, now ? format.number(now.admitted) : "···"],
    [m.run.figures.capacity, format.number(capacity)],
    [m.run.figures.rate, rate == null ? m.run.noRate : format.number(rate)],
  ] as const;
  return (
    <Section title={m.run.line}>
      <p className="flex flex-wrap gap-2 text-sm font-bold">
        <span
          data-testid="flow"
          className={`rounded-lg px-3 py-1.5 ${steering.flow === "running" ? "bg-good-soft text-good" : "bg-bad-soft text-bad"}`}
        >
          {m.run.flow[steering.flow]}
        </span>
        {now && <span className="rounded-lg bg-well px-3 py-1.5">{m.run.phase[now.phase]}</span>}
      </p>
      <dl className="grid grid-cols-2 gap-4 sm:grid-cols-3">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt className="text-sm text-ink-2">{name}</dt>
            <dd className="tnum text-xl font-extrabold">{value}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}

function SalesTable({ sales }: { sales: Sales }) {
  const m = useMore();
  const format = useFormat();
  const { columns } = m.run;
  const numbers = ["seats", "held", "booked", "sold"] as const;
  const amounts = ["revenue", "refunded"] as const;
  return (
    <Section title={m.run.sales}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a table wider than the screen is scrolled by the keyboard */}
      <section className="overflow-x-auto" tabIndex={0} aria-label={m.run.sales}>
        <table className="tnum w-full text-right text-sm whitespace-nowrap">
          <thead>
            <tr className="text-ink-2">
              <th scope="col" className="py-2 pr-4 text-left font-normal">
                {columns.category}
              </th>
              {[...numbers, ...amounts].map((column) => (
                <th key={column} scope="col" className="py-2 pl-4 font-normal">
                  {columns[column]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sales.categories.map((one) => (
              <tr key={one.category} className="border-line border-t">
                <th scope="row" className="py-2 pr-4 text-left">
                  {one.category}
                </th>
                {numbers.map((column) => (
                  <td key={column} className="py-2 pl-4">
                    {format.number(one[column])}
                  </td>
                ))}
                {amounts.map((column) => (
                  <td key={column} className="py-2 pl-4">
                    {format.won(one[column])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </Section>
  );
}

interface Deskwork {
  performance: string;
  /** The line was changed: what is shown is asked for again. */
  done: () => Promise<unknown>;
}

function Movement({ performance, flow, done }: Deskwork & { flow: Steering["flow"] }) {
  const m = useMore();
  const ways = [
    { what: "pause", name: m.run.pause, text: m.run.pauseText, off: flow === "paused" },
    { what: "resume", name: m.run.resume, text: m.run.resumeText, off: flow === "running" },
    { what: "drain", name: m.run.drain, text: m.run.drainText, off: flow === "draining" },
  ] as const;
  return (
    <Section title={m.run.steer}>
      <div className="flex flex-wrap gap-2">
        {ways.map(({ what, name, text, off }) => (
          <Act
            key={what}
            name={name}
            text={text}
            disabled={off}
            run={async (reason) => {
              await commands.steerLine(performance, what, reason);
              await done();
            }}
          />
        ))}
      </div>
    </Section>
  );
}

function Limits({ performance, steering, done }: Deskwork & { steering: Steering }) {
  const m = useMore();
  const format = useFormat();
  const [capacity, setCapacity] = useState(String(steering.capacity));
  const [rate, setRate] = useState(String(steering.admissions_per_minute ?? ""));
  const [places, perMinute] = [wholeNumber(capacity), rate.trim() === "" ? undefined : wholeNumber(rate)];
  const fits = places !== undefined && (rate.trim() === "" || perMinute !== undefined);
  return (
    <Section title={m.run.limits}>
      <div className="grid gap-4 sm:grid-cols-2">
        <NumberField label={m.run.capacity} value={capacity} onChange={setCapacity} />
        <NumberField label={m.run.rate} value={rate} onChange={setRate} />
      </div>
      <Act
        name={m.run.limit}
        text={m.run.limitText(
          format.number(places ?? 0),
          perMinute === undefined ? m.run.noRate : format.number(perMinute),
        )}
        disabled={!fits}
        run={async (reason) => {
          await commands.limitLine(performance, places ?? 0, perMinute, reason);
          await done();
        }}
      />
    </Section>
  );
}

/** A whole number from 1 on, or nothing; what is too large, the server refuses. */
function wholeNumber(text: string): number | undefined {
  return /^[1-9]\d{0,8}$/.test(text.trim()) ? Number(text) : undefined;
}

function NumberField({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  return (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          inputMode="numeric"
          autoComplete="off"
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className={INPUT}
        />
      )}
    </Field>
  );
}

function TextField({
  label,
  hint,
  max,
  value,
  onChange,
}: {
  label: string;
  hint?: string;
  max: number;
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <Field label={label} {...(hint && { hint })}>
      {(id, hintId) => (
        <input
          id={id}
          aria-describedby={hintId}
          autoComplete="off"
          maxLength={max}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className={INPUT}
        />
      )}
    </Field>
  );
}

function Evict({ performance, done }: Deskwork) {
  const m = useMore();
  const client = useQueryClient();
  const [name, setName] = useState("");
  return (
    <Section title={m.run.evict}>
      <TextField label={m.run.evictName} hint={m.run.evictHint} max={100} value={name} onChange={setName} />
      <Act
        name={m.run.evict}
        text={m.run.evictText(name.trim())}
        disabled={name.trim() === ""}
        bad
        run={async (reason) => {
          const { account_id } = await client.fetchQuery(queries.person(name.trim()));
          await commands.evict(performance, account_id, reason);
          setName("");
          await done();
        }}
      />
    </Section>
  );
}

function Beacon({ performance, done }: Deskwork) {
  const m = useMore();
  const client = useQueryClient();
  const draw = useQuery(queries.draw(performance)).data;
  const [value, setValue] = useState("");
  const [source, setSource] = useState("");
  if (!draw || draw.seed || draw.beacon) return null; // it is said once, before the seed
  return (
    <Section title={m.run.beacon}>
      <p className="text-sm text-ink-2">{m.run.beaconHint}</p>
      <TextField label={m.run.value} max={200} value={value} onChange={setValue} />
      <TextField label={m.run.source} max={200} value={source} onChange={setSource} />
      <Act
        name={m.run.give}
        text={m.run.giveText(value.trim(), source.trim())}
        disabled={value.trim() === "" || source.trim() === ""}
        reasonless
        run={async () => {
          await commands.giveBeacon(performance, value.trim(), source.trim());
          await client.invalidateQueries(queries.draw(performance));
          await done();
        }}
      />
    </Section>
  );
}

function Acts({ acts }: { acts: readonly LineAct[] }) {
  const m = useMore();
  const format = useFormat();
  return (
    <Section title={m.run.acts}>
      {acts.length === 0 && <p className="text-ink-2">{m.run.noActs}</p>}
      <ol className="grid gap-4" aria-live="polite">
        {acts.map((act) => (
          <li key={act.position} className="border-l-2 border-edge pl-4">
            <p className="font-semibold break-words">{deed(act, m.run, format.number)}</p>
            {"reason" in act && <p className="break-words">{act.reason}</p>}
            <p className="tnum text-sm break-words text-ink-2">
              {m.run.by(act.by, format.dateTime(act.at), format.number(act.position))}
            </p>
          </li>
        ))}
      </ol>
    </Section>
  );
}

function deed(act: LineAct, words: ReturnType<typeof useMore>["run"], number: (value: number) => string): string {
  switch (act.did) {
    case "limited": {
      const rate = act.admissions_per_minute;
      return words.did.limited(number(act.capacity), rate == null ? words.noRate : number(rate));
    }
    case "evicted":
      return words.did.evicted(number(act.number));
    case "gave_beacon":
      return words.did.gave_beacon(act.value, act.source);
    case "lost_seed":
      return words.did.lost_seed(act.source);
    default:
      return words.did[act.did];
  }
}
