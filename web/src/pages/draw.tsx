import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import type { Draw } from "../api/client";
import { queries } from "../api/queries";
import { type Finding, type FinishedDraw, isOver } from "../draw/check";
import { type Genuine, genuine, type Place, parseSigned, placeOf } from "../draw/statement";
import { useFormat } from "../i18n";
import { useMore } from "../i18n/more";
import type { More } from "../i18n/more/ko";
import { Button } from "../ui/button";
import { Lamps } from "../ui/countdown";
import { Field, INPUT } from "../ui/field";
import { CheckIcon } from "../ui/icons";
import { Page } from "../ui/page";
import { Empty, Failed, FailureNotice, Loading, Notice, Skeleton } from "../ui/states";
import { useAction } from "../ui/use-action";
import { type Checking, useDrawCheck } from "./draw-check";
import { ShowLink } from "./show-link";

/** How often a draw that isn't over is asked for again. */
const ASK_AGAIN_MS = 5_000;

/** A performance's draw, worked out again in the browser. For everybody, signed in or not. */
export function DrawPage({ performance }: { performance: string }) {
  const m = useMore();
  const draw = useQuery({
    ...queries.draw(performance),
    refetchInterval: ({ state }) => (state.data && !isOver(state.data) ? ASK_AGAIN_MS : false),
  });
  return (
    <Page heading={m.draw.heading} above={<ShowLink performance={performance} />}>
      <p className="mb-6 max-w-2xl text-ink-2">{m.draw.lead}</p>
      {draw.isPending && (
        <Loading>
          <Skeleton className="h-64 rounded-card" />
        </Loading>
      )}
      {draw.isError && draw.data === undefined && <Failed failure={draw.error} retry={() => void draw.refetch()} />}
      {draw.data === null && <Empty title={m.draw.none} hint={m.draw.noneHint} />}
      {draw.data && <OneDraw performance={performance} draw={draw.data} />}
    </Page>
  );
}

function OneDraw({ performance, draw }: { performance: string; draw: Draw }) {
  const m = useMore();
  if (!isOver(draw))
    return (
      <div className="grid gap-5">
        <Notice title={m.draw.notYet}>{m.draw.notYetHint}</Notice>
        <Published draw={draw} />
      </div>
    );
  return (
    <div className="grid items-start gap-5 *:min-w-0 lg:grid-cols-2">
      <Checked performance={performance} draw={draw} />
      <Published draw={draw} />
    </div>
  );
}

/** The check itself, and what it is good for: a receipt's number. */
function Checked({ performance, draw }: { performance: string; draw: FinishedDraw }) {
  const m = useMore();
  const { now, tickets, run } = useDrawCheck(performance);
  if (!globalThis.crypto?.subtle)
    return (
      <Notice tone="bad" title={m.draw.noCrypto}>
        {m.draw.noCryptoHint}
      </Notice>
    );
  const busy = now.phase === "fetching" || now.phase === "working";
  return (
    <div className="grid gap-5">
      <section className="grid gap-4 rounded-card border border-line bg-panel p-5">
        <Button tone="lamp" size="large" wide busy={busy} onClick={() => void run(draw)}>
          {now.phase === "done" ? m.draw.again : m.draw.start}
        </Button>
        {now.failure !== undefined && <FailureNotice failure={now.failure} />}
        {busy && <Progress now={now} entries={draw.entries} />}
        {now.phase === "done" && <Verdict findings={now.findings} entries={draw.entries} />}
        {now.findings.length > 0 && (
          <ol className="grid gap-3">
            {now.findings.map((finding) => (
              <OneFinding key={finding.step} finding={finding} />
            ))}
          </ol>
        )}
      </section>
      {tickets && now.phase === "done" && <Receipt performance={performance} draw={draw} tickets={tickets} />}
    </div>
  );
}

function Progress({ now, entries }: { now: Checking; entries: number }) {
  const m = useMore();
  const format = useFormat();
  const fetching = now.phase === "fetching";
  const share = fetching ? (entries > 0 ? now.got / entries : 0) : now.share;
  const text = fetching
    ? m.draw.fetching(format.number(now.got), format.number(entries))
    : m.draw.working(Math.floor(share * 100));
  return (
    <div>
      <p className="tnum mb-2 text-sm text-ink-2">{text}</p>
      <Lamps share={Math.min(1, share)} label={m.draw.progress} text={text} breathing />
    </div>
  );
}

function Verdict({ findings, entries }: { findings: readonly Finding[]; entries: number }) {
  const m = useMore();
  const format = useFormat();
  const holds = findings.every((finding) => finding.holds);
  return (
    <Notice tone={holds ? "good" : "bad"} title={holds ? m.draw.holds(format.number(entries)) : m.draw.broken} alert />
  );
}

function OneFinding({ finding }: { finding: Finding }) {
  const m = useMore();
  const format = useFormat();
  return (
    <Line holds={finding.holds} title={m.draw.steps[finding.step]}>
      {detail(finding, m.draw.found, format.number)}
    </Line>
  );
}

/** Something that holds or doesn't, said in a word, not by its colour alone. */
function Line({ holds, title, children }: { holds: boolean; title: string; children?: ReactNode }) {
  const m = useMore();
  return (
    <li className="flex gap-3">
      <span
        className={`mt-0.5 flex h-7 shrink-0 items-center gap-1 rounded-lg px-2 text-sm font-bold ${holds ? "bg-good-soft text-good" : "bg-bad-soft text-bad"}`}
      >
        {holds ? <CheckIcon className="size-4" /> : <span aria-hidden="true">×</span>}
        {holds ? m.draw.yes : m.draw.no}
      </span>
      <span className="min-w-0">
        <span className="block font-semibold">{title}</span>
        {children && <span className="tnum block text-sm break-words text-ink-2">{children}</span>}
      </span>
    </li>
  );
}

/** Digests are told by their beginnings; the whole ones stand under what is published. */
const short = (digest: string) => `${digest.slice(0, 12)}…`;

function detail(finding: Finding, found: More["draw"]["found"], number: (value: number) => string): string {
  switch (finding.step) {
    case "commitment":
      return found.commitment(short(finding.ours), short(finding.published));
    case "lost":
      return found.lost(number(finding.position), finding.reason, finding.source, finding.value);
    case "sequence":
      return found.sequence(number(finding.committed), number(finding.closed), number(finding.revealed));
    case "count":
      return found.count(number(finding.listed), number(finding.drawn));
    case "distinct":
      return found.distinct(number(finding.twice));
    case "root":
      return found.root(short(finding.ours), short(finding.published));
    case "order":
      return finding.first === undefined ? found.orderHolds : found.order(number(finding.wrong), number(finding.first));
  }
}

/** Everything that the check rests on, to be copied and compared. */
function Published({ draw }: { draw: Draw }) {
  const m = useMore();
  const format = useFormat();
  const { values } = m.draw;
  const beacon = draw.beacon == null ? m.draw.noBeacon : `${draw.beacon} (${draw.beacon_source ?? ""})`;
  const rows: readonly [string, string, number | null | undefined][] = [
    [values.commitment, draw.commitment, draw.committed_position],
    [values.entries, draw.entries == null ? "···" : format.number(draw.entries), draw.closed_position],
    [values.root, draw.root ?? "···", draw.closed_position],
    [values.beacon, beacon, undefined],
    [values.seed, draw.seed ?? m.draw.secret, draw.revealed_position],
  ];
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="mb-3 text-lg font-bold">{m.draw.published}</h2>
      <dl className="grid gap-4">
        {rows.map(([name, value, position]) => (
          <div key={name}>
            <dt className="text-sm text-ink-2">
              {name}
              {position != null && ` · ${m.draw.position(format.number(position))}`}
            </dt>
            <dd className="tnum text-sm font-semibold break-all">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** What came of looking at a receipt. */
interface Looked {
  genuine: Genuine;
  place: Place | undefined;
}

function Receipt({
  performance,
  draw,
  tickets,
}: {
  performance: string;
  draw: FinishedDraw;
  tickets: readonly string[];
}) {
  const m = useMore();
  const [text, setText] = useState("");
  const [looked, setLooked] = useState<Looked | "none">();
  const key = useQuery(queries.statementKey());
  const action = useAction();
  const look = () =>
    action.run(async () => {
      const signed = parseSigned(text);
      const published = key.data ?? (await key.refetch({ throwOnError: true })).data;
      if (!signed || !published) return setLooked("none");
      const place = await placeOf(signed, draw.commitment, tickets);
      setLooked({ genuine: await genuine(signed, published.key), place });
    });
  return (
    <section className="grid gap-4 rounded-card border border-line bg-panel p-5">
      <h2 className="text-lg font-bold">{m.draw.receipt}</h2>
      <Field label={m.draw.paste} hint={m.draw.receiptHint}>
        {(id, hintId) => (
          <textarea
            id={id}
            aria-describedby={hintId}
            rows={4}
            spellCheck={false}
            value={text}
            onChange={(event) => setText(event.target.value)}
            className={`${INPUT} py-3 font-mono text-sm`}
          />
        )}
      </Field>
      <Field label={m.draw.file}>
        {(id) => (
          <input
            id={id}
            type="file"
            accept="application/json,.json"
            className="min-h-11 w-full text-sm"
            onChange={(event) => void event.target.files?.[0]?.text().then(setText)}
          />
        )}
      </Field>
      <Button tone="ink" busy={action.busy} disabled={text.trim() === ""} onClick={() => void look()}>
        {m.draw.checkReceipt}
      </Button>
      {action.failure !== undefined && <FailureNotice failure={action.failure} />}
      <div aria-live="polite" className="grid gap-3 empty:hidden">
        {looked !== undefined && <LookedAt looked={looked} performance={performance} />}
      </div>
    </section>
  );
}

function LookedAt({ looked, performance }: { looked: Looked | "none"; performance: string }) {
  const m = useMore();
  const format = useFormat();
  if (looked === "none" || !looked.place) return <Notice tone="bad" title={m.draw.noReceipt} />;
  const { genuine, place } = looked;
  if (place.performance !== performance) return <Notice tone="bad" title={m.draw.elsewhere} />;
  const word = (holds: boolean) => (holds ? "yes" : "no");
  return (
    <>
      {place.number === undefined ? (
        <Notice tone="bad" title={m.draw.missing}>
          {m.draw.missingHint}
        </Notice>
      ) : (
        <Notice tone="good" title={m.draw.number(format.number(place.number))} />
      )}
      <ul className="grid gap-3">
        {genuine === "unable" ? (
          <li className="text-sm text-ink-2">{m.draw.signature.unable}</li>
        ) : (
          <Line holds={genuine === "yes"} title={m.draw.signature[genuine]} />
        )}
        <Line holds={place.itsOwn} title={m.draw.itsOwn[word(place.itsOwn)]} />
        <Line holds={place.sameCommitment} title={m.draw.sameCommitment[word(place.sameCommitment)]} />
      </ul>
    </>
  );
}
