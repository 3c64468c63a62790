import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation, useSearch } from "wouter";
import type { Invitation, Me, Party, Pays } from "../api/client";
import { commands } from "../api/commands";
import { queries } from "../api/queries";
import { uuidv7 } from "../api/uuid";
import { useFormat, useT } from "../i18n";
import { to } from "../routes";
import { toast } from "../ui/announce";
import { Avatar } from "../ui/avatar";
import { Button, ButtonLink } from "../ui/button";
import { CopyLink } from "../ui/copy-link";
import { Page } from "../ui/page";
import { Failed, FailureNotice, Loading, Notice, Skeleton } from "../ui/states";
import { useAction } from "../ui/use-action";
import { useJoin } from "./join";
import { KnownPeople } from "./known-people";
import { NicknameForm } from "./nickname-form";
import { peopleOf } from "./party";
import { RequireAccount } from "./require-account";
import { ShowLink } from "./show-link";

/** The party of one performance: who is in, who is invited, and going into the line as one. */
export function TogetherPage({ performance }: { performance: string }) {
  return <RequireAccount>{(me) => <Together performance={performance} me={me} />}</RequireAccount>;
}

function Together({ performance, me }: { performance: string; me: Me }) {
  const t = useT();
  const mine = useQuery(queries.invitations());
  return (
    <Page
      title={t.titles.together}
      heading={t.together.heading}
      width="narrow"
      above={<ShowLink performance={performance} />}
    >
      <p className="mb-6 text-ink-2">{t.together.lead}</p>
      {mine.isError && !mine.data && <Failed failure={mine.error} retry={() => void mine.refetch()} />}
      {mine.isPending && (
        <Loading>
          <Skeleton className="h-56 rounded-card" />
        </Loading>
      )}
      {mine.data && <Panel performance={performance} me={me} {...mine.data} />}
    </Page>
  );
}

function Panel({
  performance,
  me,
  parties,
  invitations,
}: {
  performance: string;
  me: Me;
  parties: readonly Party[];
  invitations: readonly Invitation[];
}) {
  const t = useT();
  const [fresh] = useState(uuidv7); // the id of the party that the first invitation forms
  const party = parties.find(({ performance_id }) => performance_id === performance);
  const link = new URLSearchParams(useSearch()).get("party");
  const open = invitations.filter((one) => one.performance_id === performance && one.state === "invited");
  const leads = !party || party.leader === me.account_id;
  return (
    <div className="grid gap-5">
      {open.map((invitation) => (
        <InvitationCard key={invitation.party_id} invitation={invitation} />
      ))}
      {!party && link && <JoinByLink performance={performance} party={link} />}
      <Members me={me} party={party} />
      {party && <p className="text-ink-2 text-sm">{t.together.pays[party.terms.pays]}</p>}
      {!party && !link && <Start performance={performance} party={fresh} />}
      {party && !party.frozen && (
        <CopyLink label={t.together.link} hint={t.together.linkHint} path={to.together(performance, party.party_id)} />
      )}
      {party?.frozen ? <InLine performance={performance} /> : null}
      {!party?.frozen && leads && <Invite performance={performance} party={party?.party_id ?? fresh} me={me} />}
      {!party?.frozen && leads && <KnownPeople performance={performance} party={party} fresh={fresh} />}
      {party && !party.frozen && leads && <JoinTogether performance={performance} party={party} />}
      {party && !party.frozen && !leads && <Follow performance={performance} party={party} />}
    </div>
  );
}

/** What a link leads to: whose party it is and what one agrees on, and joining with one tap. */
function JoinByLink({ performance, party }: { performance: string; party: string }) {
  const t = useT();
  const client = useQueryClient();
  const action = useAction();
  const link = useQuery(queries.partyLink(performance, party));
  if (link.data === null) return <Notice tone="bad" title={t.together.noParty} />;
  if (link.isError && !link.data) return <Failed failure={link.error} retry={() => void link.refetch()} />;
  if (!link.data) {
    return (
      <Loading>
        <Skeleton className="h-40 rounded-card" />
      </Loading>
    );
  }
  const { leader_nickname, people, terms, frozen, ended } = link.data;
  if (ended || frozen) return <Notice tone="bad" title={ended ? t.together.noParty : t.together.tooLate} />;
  return (
    <div className="rounded-card border-[1.5px] border-lamp bg-lamp-soft p-5">
      <p className="font-bold text-lg">{t.together.invitedBy(leader_nickname ?? "···")}</p>
      <p className="mt-1 text-ink-2 text-sm">
        {t.together.people(people)} · {t.together.pays[terms.pays]}
      </p>
      <Button
        tone="lamp"
        wide
        className="mt-4"
        busy={action.busy}
        onClick={() =>
          void action.run(async () => {
            await commands.joinParty(performance, party);
            await client.invalidateQueries(queries.invitations());
          })
        }
      >
        {t.together.accept}
      </Button>
      {action.failure !== undefined && (
        <div className="mt-4">
          <FailureNotice failure={action.failure} />
        </div>
      )}
    </div>
  );
}

const WAYS: readonly Pays[] = ["chooser", "shares", "all_or_none"];

/** Making a party: how it pays is agreed on now. */
function Start({ performance, party }: { performance: string; party: string }) {
  const t = useT();
  const client = useQueryClient();
  const action = useAction();
  const [pays, setPays] = useState<Pays>("chooser");
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <fieldset disabled={action.busy} className="grid gap-2">
        <legend className="mb-2 font-bold text-lg">{t.together.howToPay}</legend>
        {WAYS.map((way) => (
          <label key={way} className="flex min-h-11 items-center gap-3">
            <input
              type="radio"
              name="pays"
              checked={pays === way}
              onChange={() => setPays(way)}
              className="size-5 accent-lamp"
            />
            {t.together.pays[way]}
          </label>
        ))}
      </fieldset>
      <Button
        tone="lamp"
        wide
        className="mt-4"
        busy={action.busy}
        onClick={() =>
          void action.run(async () => {
            await commands.formParty(performance, party, pays);
            await client.invalidateQueries(queries.invitations());
          })
        }
      >
        {t.together.makeLink}
      </Button>
      {action.failure !== undefined && (
        <div className="mt-4">
          <FailureNotice failure={action.failure} />
        </div>
      )}
    </section>
  );
}

export function InvitationCard({ invitation }: { invitation: Invitation }) {
  const t = useT();
  const format = useFormat();
  const client = useQueryClient();
  const [path, go] = useLocation();
  const action = useAction();
  const { performance_id, party_id } = invitation;
  const answer = (answer: "accept" | "decline") =>
    action.run(async () => {
      await commands.answerInvitation(performance_id, party_id, answer);
      await client.invalidateQueries(queries.invitations());
      if (answer === "decline") toast(t.together.declined);
      else if (path !== to.together(performance_id)) go(to.together(performance_id));
    });
  return (
    <div className="rounded-card border-[1.5px] border-lamp bg-lamp-soft p-5">
      <p className="text-sm text-ink-2">
        {invitation.title && format.text(invitation.title)}
        {invitation.starts_at && ` · ${format.dateTime(invitation.starts_at)}`}
      </p>
      <p className="mt-1 text-lg font-bold">{t.together.invitedBy(invitation.leader_nickname ?? "···")}</p>
      <div className="mt-4 flex flex-wrap gap-2">
        <Button tone="lamp" busy={action.busy} onClick={() => void answer("accept")}>
          {t.together.accept}
        </Button>
        <Button disabled={action.busy} onClick={() => void answer("decline")}>
          {t.together.decline}
        </Button>
      </div>
      {action.failure !== undefined && (
        <div className="mt-4">
          <FailureNotice failure={action.failure} />
        </div>
      )}
    </div>
  );
}

function Members({ me, party }: { me: Me; party: Party | undefined }) {
  const t = useT();
  const people = peopleOf(party, me);
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="text-lg font-bold">{t.together.members}</h2>
      <ul aria-live="polite" className="mt-3 grid gap-2">
        {people.map(({ account, name, leads, joined }) => (
          <li
            key={account}
            className={`flex items-center gap-3 rounded-2xl px-4 py-3 ${joined ? "bg-well" : "border border-dashed border-edge"}`}
          >
            <Avatar name={name} lit={joined} />
            <span className="min-w-0 flex-1">
              <span className="block truncate font-semibold">
                {name}
                {account === me.account_id && <span className="font-normal text-ink-2"> ({t.together.me})</span>}
              </span>
              <span className="block text-sm text-ink-2">
                {leads ? t.together.leader : joined ? t.together.joined : t.together.waiting}
              </span>
            </span>
          </li>
        ))}
      </ul>
      {people.length === 1 && <p className="mt-3 text-sm text-ink-2">{t.together.alone}</p>}
      {party?.frozen && <p className="mt-3 text-sm text-ink-2">{t.together.frozen}</p>}
    </section>
  );
}

function Invite({ performance, party, me }: { performance: string; party: string; me: Me }) {
  const t = useT();
  const client = useQueryClient();
  const action = useAction();
  const invite = (nickname: string, sent: () => void) =>
    void action.run(async () => {
      await commands.invite(performance, party, { nickname });
      await client.invalidateQueries(queries.invitations());
      toast(t.together.invited(nickname));
      sent();
    });
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="mb-3 text-lg font-bold">{t.together.invite}</h2>
      <NicknameForm
        label={t.together.inviteLabel}
        hint={t.together.inviteHint}
        button={t.together.inviteButton}
        busy={action.busy}
        failure={action.failure}
        submit={invite}
      >
        <p className="text-sm font-semibold">{t.together.mine(me.nickname)}</p>
      </NicknameForm>
    </section>
  );
}

function JoinTogether({ performance, party }: { performance: string; party: Party }) {
  const t = useT();
  const join = useJoin(performance);
  const members = party.members.length;
  const waiting = party.invited.length;
  return (
    <div className="grid gap-3">
      {waiting > 0 && <p className="text-sm text-ink-2">{t.together.waitingFor(waiting)}</p>}
      <Button tone="lamp" size="large" wide busy={join.busy} onClick={() => void join.join(party.party_id)}>
        {t.together.join(members)}
      </Button>
      {join.failure !== undefined && <FailureNotice failure={join.failure} />}
    </div>
  );
}

/** A member's view: the leader takes everyone into the line, and this page follows. */
function Follow({ performance, party }: { performance: string; party: Party }) {
  const t = useT();
  const client = useQueryClient();
  const action = useAction();
  const leader = party.nicknames[party.leader] ?? "";
  return (
    <div className="grid gap-3">
      <Notice title={t.together.leaderJoins(leader)} />
      <Button
        busy={action.busy}
        onClick={() =>
          void action.run(async () => {
            await commands.answerInvitation(performance, party.party_id, "leave");
            await client.invalidateQueries(queries.invitations());
            toast(t.together.left);
          })
        }
      >
        {t.together.leave}
      </Button>
      {action.failure !== undefined && <FailureNotice failure={action.failure} />}
    </div>
  );
}

/** The party is in the line: the way there, for every member. */
function InLine({ performance }: { performance: string }) {
  const t = useT();
  return (
    <ButtonLink tone="lamp" size="large" wide href={to.line(performance)}>
      {t.show.resume}
    </ButtonLink>
  );
}
